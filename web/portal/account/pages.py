"""What the pages of a customer's person share: who has signed in, their frame, and how they are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from litestar import MediaType, Response

from kernel.actor import Actor, ActorKind
from kernel.client_addresses import UNKNOWN, format_network
from kernel.ids import new_nonce
from tenants.access import actions, queries
from tenants.access.values import ABSOLUTE_LIMIT, BROWSER_PURPOSE, SubjectKind
from tenants.customers.queries import find_contact_locale
from web.http.security import build_page_policy
from web.http.sessions import Session as BrowserSession
from web.http.templates import load_words
from web.portal.account.paths import add_next
from web.portal.account.values import AccountMenu, AccountPage, Frame
from web.portal.language import resolve_locale
from web.portal.summary import build_brand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from litestar.datastructures import Cookie

    from kernel.clock import Clock
    from kernel.language import Language
    from kernel.seals import Sealer
    from kernel.store import Database, UnitOfWork
    from tenants.access.values import NewSession, Session
    from web.http.context import GatewayRequest
    from web.http.forms import FormTokens
    from web.http.templates import Templates
    from web.portal.proof_counts import ProofCounts

SIGN_IN_PATH: Final = "/sign-in"
#: The purpose of the token of the form that signs out.
SIGN_OUT_FORM: Final = "sign_out"


class AccountPages:
    """Finds the session of a request and responds with pages."""

    def __init__(
        self,
        *,
        database: Database,
        sealer: Sealer,
        clock: Clock,
        templates: Templates,
        forms: FormTokens,
        proof_counts: ProofCounts,
    ) -> None:
        """Render `templates`; `forms` issues the tokens of the forms."""
        self.database = database
        self._database = database
        self.sealer = sealer
        self.clock = clock
        self.forms = forms
        self.proof_counts = proof_counts
        self._templates = templates

    def open_unit(
        self, request: GatewayRequest, *, session: Session | None = None, read_only: bool = False
    ) -> UnitOfWork:
        """Return a unit of work in the workspace of the host; `session` is whose change it is."""
        actor = None if session is None else build_actor(request, session)
        return self._database.scope(request.context.workspace.workspace_id, actor=actor, read_only=read_only)

    async def find_session(self, request: GatewayRequest) -> Session | None:
        """Return the open session of a person on the portal, whatever it has proven; None without one.

        That it is used is stored, so that it does not end as idle.
        """
        if not request.browser_session.is_elevated:
            return None
        workspace_id = request.context.workspace.workspace_id
        session = await queries.find_session(
            self._database, workspace_id, request.browser_session.value, self.sealer
        )
        if session is None or session.subject.kind is not SubjectKind.ADDRESS:
            return None
        if session.needs_renewal(self.clock.now()):
            async with self.open_unit(request):
                await actions.renew_session(session.session_id)
        return session

    async def find_signed_in(self, request: GatewayRequest) -> Session | None:
        """Return the open session of somebody who has signed in completely; None for anybody else."""
        session = await self.find_session(request)
        return session if session is not None and session.is_signed_in else None

    def compute_browser_hash(self, request: GatewayRequest, session: Session | None) -> bytes:
        """Return what a code for this browser is bound to: it stays the same when the browser gets another cookie."""
        if session is not None:
            return session.browser_hash
        return self.sealer.compute_hash(BROWSER_PURPOSE, request.browser_session.value.encode())

    def load_language(self, request: GatewayRequest, recipient: str | None = None) -> Language:
        """Return the language of a page: the visitor's choice, else the recipient's, else what the browser prefers.

        `recipient` is the locale of a contact. Dates and numbers stay as the workspace writes them in that language.
        """
        chosen = request.chosen_language if recipient else request.language
        return load_words(resolve_locale(recipient, request.context.workspace.locale, chosen))

    async def load_person_language(self, request: GatewayRequest, session: Session) -> Language:
        """Return the language of a page for somebody who has signed in, as `load_language`; outside a unit of work."""
        async with self.open_unit(request, read_only=True):
            locale = await find_contact_locale(session.subject.id)
        return self.load_language(request, locale)

    def build_frame(
        self,
        request: GatewayRequest,
        language: Language,
        heading: str,
        *,
        email: str = "",
        session: BrowserSession | None = None,
    ) -> Frame:
        """Return the frame of a page for the person with this address; empty for somebody who has not signed in.

        `session` is the browser's, where this response gives it another cookie.
        """
        profile = request.context.workspace
        return Frame(
            language=language.message_tag,
            direction=language.direction,
            title=f"{heading} · {profile.name}",
            heading=heading,
            brand=build_brand(profile),
            nonce=new_nonce(),
            menu=AccountMenu(email, self.issue_token(request, SIGN_OUT_FORM, session)) if email else None,
        )

    def issue_token(
        self, request: GatewayRequest, purpose: str, session: BrowserSession | None = None
    ) -> str:
        """Return the token of a form in this response; `session` as for `build_frame`."""
        return self.forms.issue(request.context, session or request.browser_session, purpose)

    def respond(
        self,
        request: GatewayRequest,
        template: str,
        page: AccountPage,
        language: Language,
        *,
        status_code: int = 200,
        cookies: Sequence[Cookie] = (),
    ) -> Response[bytes]:
        """Return a page; a browser without a session cookie gets one, to which the forms are bound."""
        jar = request.context.cookie_jar
        return Response(
            self._templates.render(template, language, page).encode(),
            status_code=status_code,
            media_type=MediaType.HTML,
            headers={"content-security-policy": build_page_policy(page.nonce), "vary": "cookie"},
            cookies=list(cookies) or jar.make_session_cookies(request.browser_session),
        )


def build_actor(request: GatewayRequest, session: Session) -> Actor:
    """Return the actor of what somebody does on these pages; it has no name, because events are kept for years."""
    network = format_network(request.context.address)
    return Actor(
        ActorKind.LINK_HOLDER,
        str(session.session_id),
        session_id=str(session.session_id),
        address_prefix="" if network == UNKNOWN else network,
    )


def make_new_cookie(request: GatewayRequest, session: NewSession) -> Cookie:
    """Return the cookie of a session that has just got its reference."""
    max_age = int(ABSOLUTE_LIMIT.total_seconds())
    return request.context.cookie_jar.make_elevated_cookie(session.value, max_age=max_age)


def redirect(path: str, *, cookies: Sequence[Cookie] = ()) -> Response[bytes]:
    """Return a redirect to a path of this host, which is to be read."""
    return Response(
        b"", status_code=303, media_type=MediaType.TEXT, headers={"location": path}, cookies=list(cookies)
    )


def redirect_to_sign_in(target: str) -> Response[bytes]:
    """Return the redirect of a page that only somebody who has signed in may see, which returns to `target`."""
    return redirect(add_next(SIGN_IN_PATH, target))
