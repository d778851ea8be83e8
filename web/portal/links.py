"""Opens links: finds the invoice of a token, or a miss that does not say why."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from uuid import UUID

from kernel.errors import Invalid, Missing, Unavailable
from kernel.ids import is_well_formed_token
from tenants.access.queries import find_session
from tenants.ids import InvoiceId
from tenants.invoices.portal_access import open_link, open_own_invoice

if TYPE_CHECKING:
    from types import TracebackType

    from kernel.seals import Sealer
    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics
    from tenants.invoices.values import InvoiceAccess
    from tenants.workspaces.profile import WorkspaceProfile
    from web.http.sessions import Session

# A token, and what mail programs and people append to an address: a full stop, a bracket, a slash, a blank, a
# character without width.
_APPENDED: Final = re.compile(r"/i/([0-9A-Za-z]+)[^0-9A-Za-z]+")


_INVOICE_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class StoredDataError(RuntimeError):
    """Stored data cannot be shown. The client did not send it, so the error is a 500 and no 400."""


class convert_stored_data_errors:  # noqa: N801  -- used as a function
    """Turn Invalid into StoredDataError; `subject`, as text, names the stored data in the log.

    A class, because each page enters it twice: a generator costs five times as much.
    """

    __slots__ = ("_subject",)

    def __init__(self, subject: object) -> None:
        self._subject = subject

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise StoredDataError from Invalid."""
        if isinstance(error, Invalid):
            raise StoredDataError(str(self._subject)) from error


class SignInRequired(Missing):
    """The id of an invoice was sent by somebody who has not signed in, whether there is such an invoice or not."""

    def __init__(self) -> None:
        super().__init__("link.not_found", "This link opens nothing.")


class Links:
    """Opens links and counts misses."""

    def __init__(self, database: Database, sealer: Sealer, metrics: Metrics) -> None:
        """Look tokens up by the hashes of `sealer`."""
        self._database = database
        self._sealer = sealer
        self._malformed = metrics.links_not_found.labels("malformed")
        self._unknown = metrics.links_not_found.labels("token")

    async def open(self, profile: WorkspaceProfile, token: str, session: Session) -> InvoiceAccess:
        """Return what a token opens in a workspace, in one round trip.

        The id of an invoice instead of a token opens it for a signed-in contact of its customer.
        SignInRequired for an id without signing in; Missing("link.not_found") whatever else the reason that it opens
        nothing; a malformed token costs no look-up. Misses are counted and nobody is locked out: 131 random bits cannot
        be guessed, and an office shares one address.
        """
        reference = session.value if session.is_elevated else ""
        invoice_id = _read_invoice_id(token) if reference else None
        try:
            with convert_stored_data_errors(profile.workspace_id):
                return await self._read(profile, token, invoice_id, reference)
        except Missing:
            (self._unknown if is_well_formed_token(token) else self._malformed).inc()
            if _INVOICE_ID.fullmatch(token) and not await self._has_signed_in(profile, reference):
                raise SignInRequired from None
            raise

    async def _read(
        self, profile: WorkspaceProfile, token: str, invoice_id: InvoiceId | None, reference: str
    ) -> InvoiceAccess:
        async def read() -> InvoiceAccess:
            workspace_id = profile.workspace_id
            if invoice_id is not None:
                return await open_own_invoice(
                    self._database, workspace_id, invoice_id, sealer=self._sealer, session=reference
                )
            return await open_link(
                self._database, workspace_id, token, sealer=self._sealer, session=reference
            )

        try:
            return await read()
        except Unavailable as error:
            # Postgres may just have restarted, so the read is repeated once. Other codes mean that the request has
            # waited already, for an answer or for a connection.
            if error.code != "store.unavailable":
                raise
            return await read()

    async def _has_signed_in(self, profile: WorkspaceProfile, reference: str) -> bool:
        if not reference:
            return False
        session = await find_session(self._database, profile.workspace_id, reference, self._sealer)
        return session is not None and session.is_signed_in


def _read_invoice_id(token: str) -> InvoiceId | None:
    if not _INVOICE_ID.fullmatch(token):
        return None
    return InvoiceId(UUID(token))


def clean_path(path: str) -> str | None:
    """Return the path of a link without the characters appended to it; None for any other path.

    The result does not depend on whether the link opens: all well-formed tokens get the same response.
    """
    found = _APPENDED.fullmatch(path)
    return f"/i/{found[1]}" if found and is_well_formed_token(found[1]) else None
