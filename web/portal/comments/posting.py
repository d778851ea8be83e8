"""Writes a comment: checks what was typed, has the missing proofs given, and stores it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

import msgspec

from kernel.actor import Actor, ActorKind
from kernel.client_addresses import UNKNOWN, format_network
from kernel.errors import Denied, Missing, Throttled
from kernel.identifiers import check_email
from tenants.access import actions as access_actions
from tenants.access.values import CodePurpose, Proof
from tenants.comments import queries
from tenants.comments.actions import post_comment
from tenants.comments.body import check_client_id, clean_author_name, clean_body
from tenants.comments.values import Author, PostedComment, Side
from tenants.workspaces.authority import WriteMode
from web.http.sessions import Session
from web.portal.thread.composer import find_missing, list_proofs, sends_to_contacts_only
from web.portal.thread.threads import find_browser_hash, find_proven_address
from web.portal.thread.values import Challenge

if TYPE_CHECKING:
    from kernel.clock import Clock
    from kernel.seals import Sealer
    from kernel.store import Database
    from tenants.access.values import NewSession
    from tenants.invoices.values import InvoiceAccess
    from web.http.context import GatewayRequest, RequestContext
    from web.http.limits import RequestLimit
    from web.portal.links import Links
    from web.portal.proof_counts import ProofCounts
    from web.portal.thread.composer import Writer

#: Of a refusal for want of a proof; `proof` in its data names the challenge.
PROOF_REQUIRED: Final = "proof.required"


class CommentForm(msgspec.Struct):
    """The form that writes a comment. `resend` asks for a new code."""

    client_id: str = ""
    name: str = ""
    email: str = ""
    body: str = ""
    code: str = ""
    totp: str = ""
    resend: str = ""


@dataclass(slots=True)
class Attempt:
    """One attempt to write a comment. Its access and its session change as codes are checked."""

    token: str
    form: CommentForm
    access: InvoiceAccess
    session: Session
    user_agent: str
    has_new_session: bool = False
    """Whether the browser is to get the cookie of a session that began."""


class CommentPosting:
    """Writes comments."""

    def __init__(
        self,
        *,
        links: Links,
        database: Database,
        sealer: Sealer,
        clock: Clock,
        code_limit: RequestLimit,
        proof_counts: ProofCounts,
    ) -> None:
        """Limit by `code_limit` how many codes an address of the network may ask for."""
        self._links = links
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._code_limit = code_limit
        self._proof_counts = proof_counts

    async def write(self, request: GatewayRequest, attempt: Attempt, writer: Writer) -> PostedComment:
        """Store a comment, with all that has been proven.

        Denied("write.closed"); Denied("proof.required") with the challenge in `proof`, after a code was sent where one
        is needed; errors of codes, authenticators and comments as their actions raise them.
        """
        form = attempt.form
        if attempt.access.authority.mode is WriteMode.CLOSED:
            # The answer to a post may have been lost before the invoice was closed.
            if not form.resend and (posted := await self._find_posted(request.context, attempt)):
                return posted
            raise Denied("write.closed", "Comments on this invoice are closed.")
        address = check_email(form.email or writer.email)
        name = form.name or writer.name
        if not form.resend:
            clean_author_name(name)
            clean_body(form.body)
            check_client_id(form.client_id)
        if not form.resend and self._list_missing(attempt, address):
            posted = await self._find_posted(request.context, attempt)
            if posted is not None:
                return posted
        await self._prove(request.context, attempt, address)
        return await self._store(request.context, attempt, name, address)

    async def _prove(self, context: RequestContext, attempt: Attempt, address: str) -> None:
        """Check the codes that were typed for the proofs that are missing; ask for the first that is still missing."""
        form = attempt.form
        code, totp = "" if form.resend else form.code.strip(), form.totp.strip()
        while missing := self._list_missing(attempt, address):
            match missing[0]:
                case Proof.EMAIL_CODE | Proof.CONTACT if code:
                    await self._prove_address(context, attempt, address, code)
                    code = ""
                case Proof.EMAIL_CODE | Proof.CONTACT:
                    await self._request_code(context, attempt, address)
                    raise _require(Challenge.CODE)
                case Proof.TOTP if totp and _has_authenticator(attempt.access):
                    await self._prove_totp(context, attempt, totp)
                    totp = ""
                case Proof.TOTP:
                    has = _has_authenticator(attempt.access)
                    raise _require(Challenge.TOTP if has else Challenge.ENROL)
                case _:
                    # OpenedThread by a session that has ended meanwhile.
                    raise Missing("link.not_found", "This link opens nothing.")

    def _list_missing(self, attempt: Attempt, address: str) -> tuple[Proof, ...]:
        return find_missing(attempt.access, list_proofs(attempt.access, address))

    async def _find_posted(self, context: RequestContext, attempt: Attempt) -> PostedComment | None:
        """Return what the same post has stored before.

        A browser that did not get the answer sends it again, with a code that is used up and without the session that
        the code began: it must not be asked for another code.
        """
        async with self._database.scope(context.workspace.workspace_id, read_only=True):
            comment = await queries.find_posted(attempt.access.invoice.invoice_id, attempt.form.client_id)
        return None if comment is None else PostedComment(comment, is_new=False)

    async def _request_code(self, context: RequestContext, attempt: Attempt, address: str) -> None:
        access = attempt.access
        contacts_only = sends_to_contacts_only(access.authority)
        with self._proof_counts.code_request():
            if wait_s := await self._code_limit.count_request(context.address):
                raise Throttled("code.throttled", "Too many codes were asked for.", retry_after_s=wait_s)
            async with self._database.scope(context.workspace.workspace_id):
                await access_actions.request_code(
                    _choose_purpose(access),
                    address,
                    browser_hash=find_browser_hash(access, attempt.session, self._sealer),
                    contacts_only=contacts_only,
                    customer_id=access.invoice.customer_id if contacts_only else None,
                )

    async def _prove_address(
        self, context: RequestContext, attempt: Attempt, address: str, code: str
    ) -> None:
        workspace_id, access = context.workspace.workspace_id, attempt.access
        with self._proof_counts.code_check():
            code_id = await access_actions.check_code(
                self._database,
                workspace_id,
                _choose_purpose(access),
                address,
                browser_hash=find_browser_hash(access, attempt.session, self._sealer),
                code=code,
                sealer=self._sealer,
            )
        network = format_network(context.address)
        async with self._database.scope(workspace_id):
            session = await access_actions.create_session(
                code_id,
                sealer=self._sealer,
                user_agent=attempt.user_agent,
                address_prefix=None if network == UNKNOWN else ip_network(network),
            )
        await self._open_anew(context, attempt, session)

    async def _prove_totp(self, context: RequestContext, attempt: Attempt, code: str) -> None:
        visitor = attempt.access.visitor
        if visitor is None:
            raise Missing("session.not_found", "There is no such session.")
        workspace_id, current = context.workspace.workspace_id, visitor.session
        with self._proof_counts.totp_check():
            await access_actions.check_totp(self._database, workspace_id, current.subject, code, self._sealer)
        async with self._database.scope(workspace_id):
            session = await access_actions.prove_totp(current.session_id, sealer=self._sealer)
        await self._open_anew(context, attempt, session)

    async def _open_anew(self, context: RequestContext, attempt: Attempt, session: NewSession) -> None:
        attempt.session, attempt.has_new_session = Session(session.value, is_new=False), True
        attempt.access = await self._links.open(context.workspace, attempt.token, attempt.session)

    async def _store(
        self, context: RequestContext, attempt: Attempt, name: str, address: str
    ) -> PostedComment:
        form, access = attempt.form, attempt.access
        author = replace(build_author(access, attempt.session, self._sealer), name=name, email=address)
        author = replace(author, proofs=list_proofs(access, address))
        if Proof.EMAIL_CODE not in author.proofs:
            author = replace(author, session_id=None)

        async def post() -> PostedComment:
            await renew_session(access, self._clock)
            return await post_comment(
                access.invoice.invoice_id, author, form.body, client_id=form.client_id, clock=self._clock
            )

        return await self._database.run(
            context.workspace.workspace_id, post, actor=build_actor(access, context)
        )


def build_author(access: InvoiceAccess, session: Session, sealer: Sealer) -> Author:
    """Return who is behind a browser, as the author of what it wrote before."""
    visitor = access.visitor
    return Author(
        Side.CUSTOMER,
        name="",
        email="" if visitor is None else find_proven_address(visitor),
        proofs=list_proofs(access),
        browser_hash=find_browser_hash(access, session, sealer),
        link_id=access.invoice.link_id,
        session_id=None if visitor is None else visitor.session.session_id,
    )


def build_actor(access: InvoiceAccess, context: RequestContext) -> Actor:
    """Return the actor of a customer's change. Its name stays empty: events are kept longer than comments."""
    visitor = access.visitor
    link_id = "" if access.invoice.link_id is None else str(access.invoice.link_id)
    session_id = "" if visitor is None else str(visitor.session.session_id)
    contact_id = None if visitor is None else visitor.contact_id
    network = format_network(context.address)
    return Actor(
        kind=ActorKind.LINK_HOLDER if contact_id is None else ActorKind.CONTACT,
        id=(link_id or session_id) if contact_id is None else str(contact_id),
        link_id=link_id,
        session_id=session_id,
        address_prefix="" if network == UNKNOWN else network,
    )


async def renew_session(access: InvoiceAccess, clock: Clock) -> None:
    """Store that the visitor's session is used, hourly at most."""
    visitor = access.visitor
    if visitor is not None and visitor.session.needs_renewal(clock.now()):
        await access_actions.renew_session(visitor.session.session_id)


def _choose_purpose(access: InvoiceAccess) -> CodePurpose:
    return CodePurpose.SIGN_IN if access.authority.mode is WriteMode.CUSTOMER else CodePurpose.WRITE


def _has_authenticator(access: InvoiceAccess) -> bool:
    return access.visitor is not None and access.visitor.session.has_authenticator


def _require(challenge: Challenge) -> Denied:
    return Denied(PROOF_REQUIRED, "A proof is required to write here.", proof=challenge.value)
