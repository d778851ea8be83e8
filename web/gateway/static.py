"""Hands out the built scripts and styles."""

from __future__ import annotations

from litestar import get
from litestar.params import FromPath
from litestar.types import ASGIApp, Scope

from kernel.errors import Missing
from web.gateway.deps import house_of
from web.gateway.fresh import asset_answer
from web.gateway.visit import visit_of


@get("/assets/{name:str}", name="asset")
async def asset(scope: Scope, name: FromPath[str]) -> ASGIApp:
    """Return one file of the build; all of them lie side by side."""
    found = house_of(scope).assets.find(name)
    if found is None:
        raise Missing("asset.not_found", "There is no such file.")
    return asset_answer(found, visit_of(scope).headers)
