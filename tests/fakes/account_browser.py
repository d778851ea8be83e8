"""A browser that keeps its cookies, and people who sign in with it."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx

from kernel.clock import SystemClock
from kernel.seals import Sealer
from kernel.store import Database, fetch_value
from tenants.access.actions import make_code
from tenants.customers.actions import add_contact
from tenants.ids import CodeId

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_NEWEST_CODE = "SELECT code_id FROM one_time_code WHERE target = $1 ORDER BY created_at DESC LIMIT 1"


class AccountBrowser:
    """Asks one host for pages, sends their forms and keeps the cookies."""

    def __init__(self, visitor: Any, host: str) -> None:
        self.visitor = visitor
        self.host = host
        self.cookies: dict[str, str] = {}
        self.page: httpx.Response | None = None

    async def open(self, path: str, **headers: str) -> httpx.Response:
        """Load a page."""
        return self._keep(await self.visitor.ask(path, self.host, **self._headers(headers)))

    async def follow(self, answer: httpx.Response) -> httpx.Response:
        """Load the page that a redirect names."""
        assert answer.status_code == 303, answer.text
        return await self.open(answer.headers["location"])

    async def send(
        self, action: str, *, token: str | None = None, origin: str | None = None, **fields: str
    ) -> httpx.Response:
        """Send the form of the last page that is posted to `action`, with its hidden fields."""
        hidden = self.read_hidden_fields(action) if token is None else {"form_token": token}
        return await self.post(action, hidden | fields, origin=origin)

    async def post(
        self, path: str, fields: dict[str, str], *, origin: str | None = None, **headers: str
    ) -> httpx.Response:
        """Send fields as a form."""
        answer = await self.visitor.ask(
            path,
            self.host,
            method="POST",
            content=str(httpx.QueryParams(fields)).encode(),
            content_type="application/x-www-form-urlencoded",
            origin=f"http://{self.host}" if origin is None else origin,
            **self._headers(headers),
        )
        return self._keep(answer)

    def read_hidden_fields(self, action: str) -> dict[str, str]:
        """Return the hidden fields of the last page's form."""
        assert self.page is not None
        form = re.search(
            rf'<form[^>]* action="{re.escape(action)}"[^>]*>(.*?)</form>', self.page.text, re.DOTALL
        )
        assert form is not None, f"no form for {action}:\n{self.page.text}"
        found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[1])
        return {name: html.unescape(value) for name, value in found}

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"user_agent": FIREFOX} | more | ({"cookie": cookie} if cookie else {})

    def _keep(self, answer: httpx.Response) -> httpx.Response:
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            value = value.strip('"')
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        if answer.status_code != 303:
            self.page = answer
        return answer


class AccountPeople:
    """Contacts of tenants, and the codes that are mailed to them."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self.database = database
        self.sealer = sealer

    async def add(self, tenant: Any, email: str = "ana@kunde.example", **values: Any) -> str:
        """Make a contact of the tenant's customer, or of `customer_id`; return the address."""
        customer_id = values.pop("customer_id", tenant.customer_id)
        async with self.database.scope(tenant.profile.workspace_id):
            await add_contact(customer_id, email=email, clock=SystemClock(), **values)
        return email

    async def read_code(self, tenant: Any, email: str) -> str | None:
        """Return the code that the worker mails for the last request; None if the address gets none."""
        async with self.database.scope(tenant.profile.workspace_id):
            made = await make_code(CodeId(await fetch_value(_NEWEST_CODE, email)), self.sealer)
        return None if made is None else made.code

    async def forget_requests(self, tenant: Any) -> None:
        """Let all codes be asked for an hour ago, so that an address may ask again."""
        async with self.database.scope(tenant.profile.workspace_id):
            await fetch_value(
                "UPDATE one_time_code SET created_at = created_at - interval '1 day', expires_at = now() RETURNING 1"
            )

    async def sign_in(self, browser: AccountBrowser, tenant: Any, email: str) -> AccountBrowser:
        """Sign in by the form, as a person does."""
        await browser.open("/sign-in")
        answer = await browser.send("/sign-in", email=email)
        assert answer.status_code == 200, answer.text
        code = await self.read_code(tenant, email)
        assert code is not None
        answer = await browser.send("/sign-in/code", code=code)
        assert answer.status_code == 303, answer.text
        return browser
