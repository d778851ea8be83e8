"""The routes of accounts: Accounts v2, onboarding links and pages, domains, OAuth."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from ops.sandbox.stripe.account_bodies import write_account, write_link
from ops.sandbox.stripe.account_pages import render_authorize, render_message, render_onboarding
from ops.sandbox.stripe.accounts import Accounts, EventSink, SandboxAccount
from ops.sandbox.stripe.contract import check_request
from ops.sandbox.stripe.contract_checks import FindingKind
from ops.sandbox.stripe.domains import Domains, write_domain
from ops.sandbox.stripe.oauth import OAuthCodes
from ops.sandbox.stripe.refusals import refuse_v1, refuse_v2
from ops.sandbox.stripe.routing import Answer, Call, Router, redirect

_V1_CODES = {FindingKind.MISSING: "parameter_missing", FindingKind.UNKNOWN: "parameter_unknown"}


class AccountRoutes:
    """Answers what concerns accounts; `router` says which calls those are."""

    def __init__(self, *, events: EventSink, read_clock: Callable[[], datetime]) -> None:
        self.accounts = Accounts(events=events, read_clock=read_clock)
        self.domains = Domains(read_clock=read_clock)
        self.codes = OAuthCodes(self.accounts)
        self.router = router = Router()
        router.add("POST", "/v2/core/accounts", self._create)
        router.add("GET", "/v2/core/accounts", self._list)
        router.add("GET", "/v2/core/accounts/{account_id}", self._retrieve)
        router.add("POST", "/v2/core/accounts/{account_id}", self._update)
        router.add("POST", "/v2/core/accounts/{account_id}/close", self._close)
        router.add("POST", "/v2/core/account_links", self._create_link)
        router.add("GET", "/setup/s/{token}", self._open_onboarding)
        router.add("POST", "/setup/s/{token}", self._play_onboarding)
        router.add("POST", "/v1/payment_method_domains", self._create_domain)
        router.add("GET", "/v1/payment_method_domains", self._list_domains)
        router.add("GET", "/v1/payment_method_domains/{domain_id}", self._retrieve_domain)
        router.add("POST", "/v1/payment_method_domains/{domain_id}", self._update_domain)
        router.add("POST", "/v1/payment_method_domains/{domain_id}/validate", self._retrieve_domain)
        router.add("GET", "/oauth/authorize", self._ask_authorization)
        router.add("POST", "/oauth/authorize", self._authorise)
        router.add("POST", "/oauth/token", lambda call: Answer(self.codes.exchange(call.parameters)))
        router.add("POST", "/oauth/deauthorize", lambda call: Answer(self.codes.deauthorise(call.parameters)))

    def _create(self, call: Call) -> Answer:
        check_parameters(call)
        return _answer(self.accounts.create(call.parameters), call)

    def _retrieve(self, call: Call, account_id: str) -> Answer:
        check_parameters(call)
        return _answer(self.accounts.find(account_id), call)

    def _update(self, call: Call, account_id: str) -> Answer:
        check_parameters(call)
        return _answer(self.accounts.update(account_id, call.parameters), call)

    def _close(self, call: Call, account_id: str) -> Answer:
        check_parameters(call)
        return _answer(self.accounts.close(account_id), call)

    def _list(self, call: Call) -> Answer:
        check_parameters(call)
        known = [
            one
            for one in reversed(self.accounts.accounts.values())
            if one.is_accessible and not one.is_closed
        ]
        start, limit = int(call.parameters.get("page", 0)), int(call.parameters.get("limit", 20))
        page = known[start : start + limit]
        further = f"/v2/core/accounts?limit={limit}&page={start + limit}" if known[start + limit :] else None
        data = [write_account(one) for one in page]
        return Answer({"data": data, "next_page_url": further, "previous_page_url": None})

    def _create_link(self, call: Call) -> Answer:
        check_parameters(call)
        return Answer(write_link(self.accounts.create_link(call.parameters), call.base_url))

    def _open_onboarding(self, _call: Call, token: str) -> Answer:
        link = self.accounts.find_link(token)
        if link is None:
            return Answer(
                render_message("This link is not valid", "Ask the platform for another one."), status=404
            )
        if not self.accounts.open_link(link):
            return redirect(link.refresh_url)
        return Answer(render_onboarding(self.accounts.accounts[link.account_id], token))

    def _play_onboarding(self, call: Call, token: str) -> Answer:
        link = self.accounts.find_link(token)
        if link is None:
            return Answer(
                render_message("This link is not valid", "Ask the platform for another one."), status=404
            )
        match call.parameters.get("verb"):
            case "finish":
                self.accounts.finish_onboarding(link.account_id)
            case "reject":
                self.accounts.reject(link.account_id)
            case _:  # left early: nothing changes, and the way back is the same
                pass
        return redirect(link.return_url)

    def _create_domain(self, call: Call) -> Answer:
        check_parameters(call)
        return Answer(write_domain(self.domains.create(call.account_id, call.parameters)))

    def _list_domains(self, call: Call) -> Answer:
        check_parameters(call)
        wanted = call.parameters.get("domain_name")
        found = [one for one in self.domains.list(call.account_id) if wanted in {None, one.name}]
        limit = int(call.parameters.get("limit", 10))
        page = {"data": [write_domain(one) for one in found[:limit]], "has_more": len(found) > limit}
        return Answer({"object": "list", "url": "/v1/payment_method_domains", **page})

    def _retrieve_domain(self, call: Call, domain_id: str) -> Answer:
        return Answer(write_domain(self.domains.find(call.account_id, domain_id)))

    def _update_domain(self, call: Call, domain_id: str) -> Answer:
        check_parameters(call)
        return Answer(write_domain(self.domains.update(call.account_id, domain_id, call.parameters)))

    def _ask_authorization(self, call: Call) -> Answer:
        if call.parameters.get("response_type") != "code" or not call.parameters.get("redirect_uri"):
            return Answer(
                render_message("Invalid request", "response_type or redirect_uri is missing."), status=400
            )
        return Answer(render_authorize(list(self.accounts.accounts.values()), call.parameters))

    def _authorise(self, call: Call) -> Answer:
        asked: dict[str, Any] = call.parameters
        state = {"state": asked["state"]} if asked.get("state") else {}
        account_id = str(asked.get("account", ""))
        if account_id not in self.accounts.accounts:
            refused = {"error": "access_denied", "error_description": "The user denied your request"}
            return redirect(_add_query(str(asked["redirect_uri"]), state | refused))
        granted = {"scope": "read_write", "code": self.codes.authorise(account_id)}
        return redirect(_add_query(str(asked["redirect_uri"]), state | granted))


def check_parameters(call: Call) -> None:
    """Refuse parameters that the SDK does not know, as Stripe does."""
    for finding in check_request(call.method, call.path, call.parameters):
        if call.path.startswith("/v2/"):
            raise refuse_v2(400, f"{finding.kind}_field", str(finding))
        raise refuse_v1(400, _V1_CODES.get(finding.kind), str(finding), param=finding.path)


def _answer(account: SandboxAccount, call: Call) -> Answer:
    return Answer(write_account(account, call.parameters.get("include", ())))


def _add_query(url: str, fields: dict[str, str]) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(fields))))))
