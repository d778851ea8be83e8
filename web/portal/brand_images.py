"""The workspace's own images, served from its own host and found on no other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kernel.errors import Missing
from tenants.workspaces import queries
from web.http.lru import MEBIBYTE, Keep

if TYPE_CHECKING:
    from kernel.ids import WorkspaceId
    from kernel.store import Database
    from web.http.context import Visit
    from web.http.limits import MissLimit

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

    def __init__(self, database: Database, misses: MissLimit, *, kept_bytes: int = KEPT_BYTES) -> None:
        """Keep up to `kept_bytes` of images; `misses` bounds how many an address may look for in vain."""
        self._database = database
        self._misses = misses
        self._kept: Keep[tuple[WorkspaceId, str], Image] = Keep(kept_bytes, lambda _result: None)

    async def find(self, visit: Visit, name: str) -> Image:
        """Return the image called `<sha256>.png` of the visited workspace; Missing("brand.not_found")."""
        matched = _NAME.fullmatch(name)
        if matched is None:
            raise Missing("brand.not_found", "There is no such image.")
        # The key holds the workspace: an image that another one has too is still not this one's.
        key = (visit.workspace.workspace_id, matched[1])
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        if self._misses.is_reached(visit.address):
            raise Missing("brand.not_found", "There is no such image.")
        try:
            return await self._kept.made(key, lambda: self._read(*key))
        except Missing:
            await self._misses.count(visit.address)
            raise

    async def _read(self, workspace_id: WorkspaceId, sha256: str) -> Image:
        async with self._database.scope(workspace_id, read_only=True):
            stored = await queries.brand_asset(sha256)
        return Image(stored.content_type, stored.data, f'"{sha256[:32]}"')
