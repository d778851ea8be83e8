"""Hands out the built scripts and styles."""

from __future__ import annotations

from litestar import get
from litestar.params import FromPath
from litestar.types import ASGIApp, Scope

from kernel.errors import Missing
from web.http.conditional import asset_answer
from web.http.context import visit_of
from web.http.deps import house_of


@get("/assets/{name:str}", name="asset")
async def asset(scope: Scope, name: FromPath[str]) -> ASGIApp:
    """Return one file of the build; all of them lie side by side."""
    found = house_of(scope).assets.find(name)
    if found is None:
        raise Missing("asset.not_found", "There is no such file.")
    return asset_answer(found, visit_of(scope).headers)
