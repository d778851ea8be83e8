"""Measurements of a renderer: first PDFs, memory, crashes, endless documents, and documents that try to reach files."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

from kernel.errors import Unavailable
from kernel.ids import WorkspaceId, new_id
from ops.bench import vectors
from ops.bench.pdf_methods import METADATA, OWNER, create_renderer
from ops.bench.resource_usage import read_private_bytes
from workers.pdf.postprocess import postprocess
from workers.pdf.renderer import Renderer

# Tens of thousands of pages; no script is needed to keep a renderer busy.
_ENDLESS: Final = (
    '<!DOCTYPE html><title>-</title><div style="height:33000000px">x</div><p style="position:fixed;top:0">-'
)
_SMALL: Final = "<!DOCTYPE html><title>-</title><p>-"
_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class EndlessDocument:
    """Seconds from the deadline to the error, and from the error until the slot has rendered the next document."""

    error_delay_s: float
    slot_delay_s: float


async def measure_first_pdfs(renderer: Renderer, html: str, rounds: int) -> float:
    """Return the latency of a workspace's first PDF, on a spare page, over that on a warm page; wall clock."""
    ratios = []
    for _ in range(rounds):
        await renderer.open_spare_page()
        await asyncio.sleep(0.3)  # idle, as between two requests
        first = await _measure_seconds(renderer, html, WorkspaceId(new_id()))
        await asyncio.sleep(0.3)
        ratios.append(first / await _measure_seconds(renderer, html, OWNER))
    return statistics.median(ratios)


async def measure_postprocessing(renderer: Renderer, html: str, rounds: int) -> float:
    """Return the time of post-processing over that of rendering; wall clock."""
    ratios = []
    for _ in range(rounds):
        started_at = perf_counter()
        raw = await renderer.render(html, owner=OWNER, within_s=_TIMEOUT_S)
        rendered_at = perf_counter()
        postprocess(raw, METADATA)
        ratios.append((perf_counter() - rendered_at) / (rendered_at - started_at))
    return statistics.median(ratios)


async def measure_memory_growth(html: str) -> float:
    """Return the memory after 300 PDFs over that after 75, with one page and one spare page open."""
    renderer = create_renderer(1)
    await renderer.start()
    sizes = []
    for count in (75, 225):
        for _ in range(count):
            await renderer.render(html, owner=OWNER, within_s=_TIMEOUT_S)
        await renderer.open_spare_page()
        await asyncio.sleep(0.5)
        sizes.append(read_private_bytes(await (await renderer.get_browser()).list_processes()))
    await renderer.close()
    return sizes[1] / sizes[0]


async def count_hashes(html: str) -> int:
    """Return the number of different files of one document: reused page, new context, new browser, after a crash."""
    hashes = set()
    for _ in range(2):
        renderer = create_renderer(1)
        await renderer.start()
        for owner in (OWNER, OWNER, WorkspaceId(new_id()), None):
            hashes.add(await _compute_hash(renderer, html, owner))
        os.kill((await renderer.get_browser()).pid, signal.SIGKILL)
        hashes.add(await _compute_hash(renderer, html, OWNER))
        await renderer.close()
    return len(hashes)


async def measure_endless_document() -> EndlessDocument:
    """Render a document that never ends in a single slot, then another one."""
    renderer = create_renderer(1)
    await renderer.start()
    started_at = perf_counter()
    try:
        await renderer.render(_ENDLESS, owner=OWNER, within_s=1.0)
    except Unavailable:
        error_delay_s = perf_counter() - started_at - 1.0
    else:
        message = "The endless document was rendered: nothing was measured."
        raise RuntimeError(message)
    slot_delay_s = await _measure_seconds(renderer, _SMALL, OWNER)
    await renderer.close()
    return EndlessDocument(error_delay_s, slot_delay_s)


async def count_leaks(renderer: Renderer) -> int:
    """Return how many network and file vectors reach anything, without a content security policy."""
    count = 0
    with tempfile.TemporaryDirectory(prefix="target-") as folder:
        async with vectors.open_target(Path(folder)) as target:
            for vector in vectors.VECTORS:
                page = vectors.build_page(target.build_markup(vector))
                raw = await renderer.render(page, owner=None, within_s=_TIMEOUT_S)
                await asyncio.sleep(0.05)
                count += bool(target.connections) or vectors.read_pdf(raw)[1]
                target.connections.clear()
    return count


async def _measure_seconds(renderer: Renderer, html: str, owner: WorkspaceId) -> float:
    started_at = perf_counter()
    await renderer.render(html, owner=owner, within_s=_TIMEOUT_S)
    return perf_counter() - started_at


async def _compute_hash(renderer: Renderer, html: str, owner: WorkspaceId | None) -> str:
    raw = await renderer.render(html, owner=owner, within_s=_TIMEOUT_S)
    return hashlib.sha256(postprocess(raw, METADATA)).hexdigest()
