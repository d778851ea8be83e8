"""The workspace's own images, served from its own host and found on no other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kernel.errors import Missing
from tenants.workspaces import queries
from web.portal.keep import MEBIBYTE, Keep

if TYPE_CHECKING:
    from kernel.ids import WorkspaceId
    from kernel.store import Database

KEPT_BYTES: Final = 16 * MEBIBYTE
_NAME: Final = re.compile(r"([0-9a-f]{64})\.png")


@dataclass(frozen=True, slots=True)
class Image:
    """Bytes that we have encoded ourselves; the name is their hash, and so is the entity tag."""

    content_type: str
    data: bytes
    etag: str

    @property
    def size(self) -> int:
        """Bytes held, about."""
        return len(self.data) + 512


class BrandImages:
    """Finds images by the hash of their bytes, in one workspace."""

    def __init__(self, database: Database, *, kept_bytes: int = KEPT_BYTES) -> None:
        """Keep up to `kept_bytes` of images."""
        self._database = database
        self._kept: Keep[tuple[WorkspaceId, str], Image] = Keep(kept_bytes, lambda _result: None)

    async def find(self, workspace_id: WorkspaceId, name: str) -> Image:
        """Return the image called `<sha256>.png` of this workspace; Missing("brand.not_found")."""
        matched = _NAME.fullmatch(name)
        if matched is None:
            raise Missing("brand.not_found", "There is no such image.")
        # The key holds the workspace: an image that another one has too is still not this one's.
        key = (workspace_id, matched[1])
        return self._kept.get(key) or await self._kept.made(key, lambda: self._read(*key))

    async def _read(self, workspace_id: WorkspaceId, sha256: str) -> Image:
        async with self._database.scope(workspace_id, read_only=True):
            stored = await queries.brand_asset(sha256)
        return Image(stored.content_type, stored.data, f'"{sha256[:32]}"')
