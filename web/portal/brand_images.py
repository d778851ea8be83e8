"""The images of a workspace, served on its own hosts only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from litestar import HttpMethod, route
from litestar.di import NamedDependency
from litestar.params import FromPath

from kernel.errors import Missing
from tenants.workspaces import queries
from web.http.conditional import IMMUTABLE
from web.http.context import GatewayRequest
from web.http.lru import MEBIBYTE, SharedCache
from web.http.responses import Body, answer_conditions, build_validators, respond

if TYPE_CHECKING:
    from kernel.ids import WorkspaceId
    from kernel.store import Database
    from web.http.context import RequestContext
    from web.http.limits import MissLimit

CACHE_BYTES: Final = 16 * MEBIBYTE
_NAME: Final = re.compile(r"([0-9a-f]{64})\.png")


@dataclass(frozen=True, slots=True)
class Image:
    """An image that the portal has encoded itself; its name and its entity tag are the hash of its bytes."""

    content_type: str
    data: bytes
    etag: str

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes."""
        return len(self.data) + 512


class BrandImages:
    """Finds images by the hash of their bytes, in one workspace."""

    def __init__(self, database: Database, misses: MissLimit, *, cache_bytes: int = CACHE_BYTES) -> None:
        """Cache up to `cache_bytes` of images; `misses` limits how many missing ones an address may request."""
        self._database = database
        self._misses = misses
        self._cache: SharedCache[tuple[WorkspaceId, str], Image] = SharedCache(
            cache_bytes, lambda _result: None
        )

    async def find(self, context: RequestContext, name: str) -> Image:
        """Return the image called `<sha256>.png` of the host's workspace; Missing("brand.not_found")."""
        matched = _NAME.fullmatch(name)
        if matched is None:
            raise Missing("brand.not_found", "There is no such image.")
        # The key holds the workspace: an image that only another workspace has is not found.
        key = (context.workspace.workspace_id, matched[1])
        if (image := self._cache.get(key)) is not None:
            return image
        if self._misses.is_reached(context.address):
            raise Missing("brand.not_found", "There is no such image.")
        try:
            return await self._cache.get_or_make(key, lambda: self._read(*key))
        except Missing:
            await self._misses.count(context.address)
            raise

    async def _read(self, workspace_id: WorkspaceId, sha256: str) -> Image:
        async with self._database.scope(workspace_id, read_only=True):
            stored = await queries.load_brand_image(sha256)
        return Image(stored.content_type, stored.data, f'"{sha256[:32]}"')


@route("/brand/{name:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD], name="brand")
async def show_brand_image(
    request: GatewayRequest, name: FromPath[str], images: NamedDependency[BrandImages]
) -> Body:
    """Return an image of this host's workspace."""
    image = await images.find(request.context, name)
    if (answer := answer_conditions(request, image.etag, IMMUTABLE)) is not None:
        return answer
    return respond(
        (image.data,), media_type=image.content_type, headers=build_validators(image.etag, IMMUTABLE)
    )
