"""The PDFs of a version: what is known of one, and what decides how the next one looks."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Final

from kernel.ids import InvoiceId, WorkspaceId
from kernel.store import current_workspace, execute, fetch_one
from tenants.invoices.queries import no_invoice
from tenants.invoices.snapshot import decode_content, decode_totals
from tenants.invoices.status import InvoiceStatus
from tenants.invoices.values import LoadedVersion

_KEPT: Final = """
SELECT sha256, bytes, pinned, fingerprint, locale FROM invoice_pdf
WHERE workspace_id = $1 AND invoice_id = $2 AND version = $3 AND locale = $4 AND (pinned OR fingerprint = $5)
ORDER BY pinned DESC LIMIT 1
"""
_KEEP: Final = """
INSERT INTO invoice_pdf (workspace_id, invoice_id, version, locale, fingerprint, sha256, bytes, pinned, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT DO NOTHING
"""
_SUBJECT: Final = """
SELECT v.content, v.totals, i.number, i.status, v.issued_at IS NOT NULL AS is_issued,
       coalesce(v.issued_at, v.created_at) AS moment, c.locale
FROM invoice_version v
JOIN invoice i ON i.workspace_id = v.workspace_id AND i.invoice_id = v.invoice_id
JOIN customer c ON c.workspace_id = i.workspace_id AND c.customer_id = i.customer_id
WHERE v.workspace_id = $1 AND v.invoice_id = $2 AND v.version = $3
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """A version that is to be printed. `moment` is when it was issued, or written; `locale` the customer's."""

    loaded: LoadedVersion
    lifecycle: InvoiceStatus
    is_issued: bool
    moment: dt.datetime
    locale: str | None
    snapshot: bytes


@dataclass(frozen=True, slots=True)
class Pdf:
    """A rendered PDF: `sha256` (hex) of its bytes is its ETag, `key` where the blob is."""

    workspace_id: WorkspaceId
    sha256: str
    size: int
    is_pinned: bool

    @property
    def key(self) -> str:
        """Where its bytes are in the store of blobs."""
        return f"{self.workspace_id}/pdf/{self.sha256}.pdf"


async def subject(invoice_id: InvoiceId, version: int) -> Subject:
    """Return what is to be printed; Missing("invoice.not_found")."""
    row = await fetch_one(_SUBJECT, current_workspace(), invoice_id, version)
    if row is None:
        raise no_invoice()
    content, totals = decode_content(row["content"]), decode_totals(row["totals"])
    return Subject(
        LoadedVersion(content, totals, row["number"]),
        InvoiceStatus(row["status"]),
        row["is_issued"],
        row["moment"],
        row["locale"],
        "\0".join((row["content"], row["totals"], row["number"] or "")).encode(),
    )


async def kept_pdf(invoice_id: InvoiceId, version: int, locale: str, fingerprint: bytes = b"") -> Pdf | None:
    """Return the pinned PDF of a version in a language, else the one of this very fingerprint, else None."""
    workspace_id = current_workspace()
    row = await fetch_one(_KEPT, workspace_id, invoice_id, version, locale, fingerprint)
    return None if row is None else Pdf(workspace_id, row["sha256"], row["bytes"], row["pinned"])


async def keep_pdf(
    invoice_id: InvoiceId,
    version: int,
    locale: str,
    fingerprint: bytes,
    data: bytes,
    *,
    pinned: bool,
    created_at: dt.datetime,
) -> Pdf:
    """Note a rendered PDF, whose blob is stored already; returns the one that counts: the first to be pinned.

    Missing("invoice.not_found") when the version has gone meanwhile.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    workspace_id = current_workspace()
    await execute(
        _KEEP,
        workspace_id,
        invoice_id,
        version,
        locale,
        fingerprint,
        sha256,
        len(data),
        pinned,
        created_at,
    )
    found = await kept_pdf(invoice_id, version, locale, fingerprint)
    if found is None:
        raise no_invoice()
    return found


def fingerprint(*parts: str | bytes) -> bytes:
    """Return one hash over parts, each of them kept apart from the next."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.digest()
