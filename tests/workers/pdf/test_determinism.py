"""The same document gives the same bytes, wherever and whenever it is rendered."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from dataclasses import replace

import pytest

from kernel.ids import WorkspaceId, new_id
from kernel.telemetry.metrics import Metrics
from tests.fakes.documents import METADATA, build_logo, render_seed_sheet
from workers.pdf.postprocess import postprocess
from workers.pdf.processes import kill
from workers.pdf.renderer import Renderer, RenderLimits


async def hash_pdf(renderer: Renderer, html: str, owner: WorkspaceId | None) -> str:
    raw = await renderer.render(html, owner=owner, within_s=30)
    return hashlib.sha256(postprocess(raw, METADATA)).hexdigest()


@pytest.mark.parametrize("tag", ["lines-3", "lines-40", "rtl", "japanese", "hostile-text", "lines-200"])
async def test_one_hash_over_reused_page_new_context_new_browser_and_after_a_crash(
    renderer: Renderer, tag: str
) -> None:
    html = render_seed_sheet(tag, logo=build_logo())
    owner = WorkspaceId(new_id())
    hashes = {await hash_pdf(renderer, html, owner) for _ in range(3)}
    # Another document in between: counters of the browser must not show.
    await hash_pdf(renderer, render_seed_sheet("lines-10"), owner)
    hashes.add(await hash_pdf(renderer, html, owner))
    hashes.add(await hash_pdf(renderer, html, WorkspaceId(new_id())))
    hashes.add(await hash_pdf(renderer, html, None))
    another = Renderer(Metrics(), limits=RenderLimits(slots=1))
    await another.start()
    hashes.add(await hash_pdf(another, html, owner))
    browser = await another.get_browser()
    kill(browser.pid, browser.process_group)
    hashes.add(await hash_pdf(another, html, owner))
    await another.close()
    assert len(hashes) == 1


async def test_documents_rendered_concurrently_equal_those_rendered_alone(renderer: Renderer) -> None:
    tags = ("lines-3", "rtl", "paid", "huge", "allowances", "japanese")
    sheets = [render_seed_sheet(tag) for tag in tags]
    alone = [await hash_pdf(renderer, html, None) for html in sheets]
    together = await asyncio.gather(*(hash_pdf(renderer, html, WorkspaceId(new_id())) for html in sheets * 3))
    assert list(together) == alone * 3
    assert len(set(alone)) == len(tags)


async def test_the_metadata_are_in_the_bytes_and_the_machines_time_is_not(
    renderer: Renderer,
) -> None:
    raw = await renderer.render(render_seed_sheet("lines-3"), owner=None, within_s=30)
    later = replace(METADATA, created_at=METADATA.created_at + dt.timedelta(days=1))
    assert postprocess(raw, METADATA) == postprocess(raw, METADATA)
    assert postprocess(raw, METADATA) != postprocess(raw, later)
    assert b"2026-03-16" not in raw
