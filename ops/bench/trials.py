"""What a running renderer is put through: first prints, long runs, crashes, endless documents, baited ones."""

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
from ops.bench.prints import METADATA, OWNER, make_renderer
from ops.bench.resource_usage import read_private_bytes
from workers.pdf.postprocess import postprocess
from workers.pdf.renderer import Renderer

# Tens of thousands of pages; no script is needed to keep a renderer busy.
_ENDLESS: Final = (
    '<!DOCTYPE html><title>-</title><div style="height:33000000px">x</div><p style="position:fixed;top:0">-'
)
_SMALL: Final = "<!DOCTYPE html><title>-</title><p>-"
_WITHIN_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Hanging:
    """A document that never ends: how late its error comes, and how long the slot is not free after it."""

    late_s: float
    back_s: float


async def first_prints(renderer: Renderer, html: str, rounds: int) -> float:
    """Return the latency of a first print for a workspace, on a spare, over that of a warm page; wall clock."""
    ratios = []
    for _ in range(rounds):
        await renderer.open_spare_page()
        await asyncio.sleep(0.3)  # while nobody asks, as between two customers
        first = await _seconds(renderer, html, WorkspaceId(new_id()))
        await asyncio.sleep(0.3)
        ratios.append(first / await _seconds(renderer, html, OWNER))
    return statistics.median(ratios)


async def finishing(renderer: Renderer, html: str, rounds: int) -> float:
    """Return the time of finishing over that of printing, one right after the other; wall clock."""
    ratios = []
    for _ in range(rounds):
        began = perf_counter()
        raw = await renderer.render(html, owner=OWNER, within_s=_WITHIN_S)
        printed = perf_counter()
        postprocess(raw, METADATA)
        ratios.append((perf_counter() - printed) / (printed - began))
    return statistics.median(ratios)


async def growth(html: str) -> float:
    """Return the memory after 300 prints over that after 75, of a renderer with one page and one spare each time."""
    renderer = make_renderer(1)
    await renderer.start()
    weights = []
    for upto in (75, 225):
        for _ in range(upto):
            await renderer.render(html, owner=OWNER, within_s=_WITHIN_S)
        await renderer.open_spare_page()
        await asyncio.sleep(0.5)
        weights.append(read_private_bytes(await (await renderer.get_browser()).list_processes()))
    await renderer.close()
    return weights[1] / weights[0]


async def hashes(html: str) -> int:
    """Return how many different files come of one document: reused page, new context, new browser, after a crash."""
    found = set()
    for _ in range(2):
        renderer = make_renderer(1)
        await renderer.start()
        for owner in (OWNER, OWNER, WorkspaceId(new_id()), None):
            found.add(await _hash(renderer, html, owner))
        os.kill((await renderer.get_browser()).pid, signal.SIGKILL)
        found.add(await _hash(renderer, html, OWNER))
        await renderer.close()
    return len(found)


async def hanging() -> Hanging:
    """Print a document that never ends on a renderer with a single slot, then another one."""
    renderer = make_renderer(1)
    await renderer.start()
    began = perf_counter()
    try:
        await renderer.render(_ENDLESS, owner=OWNER, within_s=1.0)
    except Unavailable:
        late = perf_counter() - began - 1.0
    else:
        message = "The document that never ends has ended: nothing was measured."
        raise RuntimeError(message)
    back = await _seconds(renderer, _SMALL, OWNER)
    await renderer.close()
    return Hanging(late, back)


async def reached(renderer: Renderer) -> int:
    """Return how many of the network and file vectors reach anything, without the policy that sheets have."""
    count = 0
    with tempfile.TemporaryDirectory(prefix="trap-") as folder:
        async with vectors.trap(Path(folder)) as trap:
            for vector in vectors.VECTORS:
                page = vectors.bare(trap.bait(vector))
                raw = await renderer.render(page, owner=None, within_s=_WITHIN_S)
                await asyncio.sleep(0.05)
                count += bool(trap.connections) or vectors.read(raw)[1]
                trap.connections.clear()
    return count


async def _seconds(renderer: Renderer, html: str, owner: WorkspaceId) -> float:
    began = perf_counter()
    await renderer.render(html, owner=owner, within_s=_WITHIN_S)
    return perf_counter() - began


async def _hash(renderer: Renderer, html: str, owner: WorkspaceId | None) -> str:
    raw = await renderer.render(html, owner=owner, within_s=_WITHIN_S)
    return hashlib.sha256(postprocess(raw, METADATA)).hexdigest()
