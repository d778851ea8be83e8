"""Opens links: finds the invoice of a token, or a miss that does not say why."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from kernel.errors import Invalid, Missing, Unavailable
from kernel.ids import is_well_formed_token
from tenants.invoices import queries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kernel.seals import Sealer
    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics
    from tenants.invoices.values import OpenedInvoice
    from tenants.workspaces.profile import WorkspaceProfile

# A token, and what mail programs and people append to an address: a full stop, a bracket, a slash, a blank, a
# character without width.
_APPENDED: Final = re.compile(r"/i/([0-9A-Za-z]+)[^0-9A-Za-z]+")


class StoredDataError(RuntimeError):
    """Stored data cannot be shown. The client did not send it, so the error is a 500 and no 400."""


@contextmanager
def convert_stored_data_errors(subject: str) -> Iterator[None]:
    """Turn Invalid into StoredDataError; `subject` names the stored data in the log."""
    try:
        yield
    except Invalid as error:
        raise StoredDataError(subject) from error


class Links:
    """Opens links and counts misses."""

    def __init__(self, database: Database, sealer: Sealer, metrics: Metrics) -> None:
        """Look tokens up by the hashes of `sealer`."""
        self._database = database
        self._sealer = sealer
        self._malformed = metrics.links_not_found.labels("malformed")
        self._unknown = metrics.links_not_found.labels("token")

    async def open(self, profile: WorkspaceProfile, token: str) -> OpenedInvoice:
        """Return what a token opens in a workspace, in one round trip.

        Missing("link.not_found") whatever the reason that it opens nothing; a malformed token costs no look-up. Misses
        are counted and nobody is locked out: 131 random bits cannot be guessed, and an office shares one address.
        """
        try:
            with convert_stored_data_errors(str(profile.workspace_id)):
                return await self._read(profile, token)
        except Missing:
            (self._unknown if is_well_formed_token(token) else self._malformed).inc()
            raise

    async def _read(self, profile: WorkspaceProfile, token: str) -> OpenedInvoice:
        try:
            return await queries.open_link(self._database, profile.workspace_id, token, sealer=self._sealer)
        except Unavailable as error:
            # Postgres may just have restarted, so the read is repeated once. Other codes mean that the request has
            # waited already, for an answer or for a connection.
            if error.code != "store.unavailable":
                raise
            return await queries.open_link(self._database, profile.workspace_id, token, sealer=self._sealer)


def clean_path(path: str) -> str | None:
    """Return the path of a link without the characters appended to it; None for any other path.

    The result does not depend on whether the link opens: all well-formed tokens get the same response.
    """
    found = _APPENDED.fullmatch(path)
    return f"/i/{found[1]}" if found and is_well_formed_token(found[1]) else None
