"""The renderer when Chromium, a renderer process or the driver dies, hangs or grows, and with endless documents."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from kernel.errors import Invalid, Unavailable
from kernel.ids import WorkspaceId, new_id
from kernel.telemetry.metrics import Metrics
from tests.fakes.documents import render_seed_sheet
from workers.pdf.renderer import Renderer, RenderLimits

HTML = "<!DOCTYPE html><title>Small</title><p>Small"
# Tens of thousands of pages; no script is needed to keep a renderer busy.
ENDLESS = (
    '<!DOCTYPE html><title>-</title><div style="height:33000000px">x</div><p style="position:fixed;top:0">-'
)
OWNER = WorkspaceId(new_id())
OpenRenderer = Callable[..., Awaitable[Renderer]]


@pytest.fixture
async def open_renderer() -> AsyncIterator[OpenRenderer]:
    """Open renderers of the test's own, with their metrics."""
    renderers: list[Renderer] = []

    async def start(**limits: float) -> Renderer:
        renderer = Renderer(Metrics(), limits=RenderLimits(**limits))  # type: ignore[arg-type]  # counts and seconds alike
        renderers.append(renderer)
        await renderer.start()
        return renderer

    yield start
    for renderer in renderers:
        await renderer.close()


def read_stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; empty when the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []


def is_running(pid: int) -> bool:
    return read_stat(pid)[:1] not in ([], ["Z"])


def find_driver(browser: int) -> int:
    """Return the child of this process that is above the browser; a script may stand between."""
    pid = browser
    while (above := int(read_stat(pid)[1])) != os.getpid():
        pid = above
    return pid


async def list_processes(renderer: Renderer, kind: str) -> list[int]:
    report = await (await renderer.get_browser()).cdp.send("SystemInfo.getProcessInfo")
    return [int(each["id"]) for each in report["processInfo"] if each["type"] == kind]


def count_launches(renderer: Renderer, reason: str | None = None) -> float:
    families = list(renderer._metrics.pdf_browser_launches.collect())
    counters = [each for each in families[0].samples if each.name.endswith("_total")]
    return sum(each.value for each in counters if reason in {None, *each.labels.values()})


async def find_processes(renderer: Renderer, kind: str) -> list[int]:
    browser = (await renderer.get_browser()).pid
    if kind == "browser":
        return [browser]
    if kind == "driver":
        return [find_driver(browser)]
    return await list_processes(renderer, "renderer")


@pytest.mark.parametrize("kind", ["browser", "renderer", "driver"])
async def test_the_next_render_succeeds_after_an_idle_process_was_killed(
    open_renderer: OpenRenderer, kind: str
) -> None:
    renderer = await open_renderer(slots=2)
    await renderer.render(HTML, owner=OWNER, within_s=20)
    for pid in await find_processes(renderer, kind):
        os.kill(pid, signal.SIGKILL)
    assert (await renderer.render(HTML, owner=OWNER, within_s=20)).startswith(b"%PDF-")


@pytest.mark.parametrize("kind", ["browser", "renderer", "driver"])
async def test_running_renders_succeed_when_a_process_is_killed(
    open_renderer: OpenRenderer, kind: str
) -> None:
    renderer = await open_renderer(slots=2)
    html = render_seed_sheet("lines-1000")
    renders = [asyncio.create_task(renderer.render(html, owner=OWNER, within_s=60)) for _ in range(4)]
    await asyncio.sleep(0.3)
    assert not any(task.done() for task in renders)
    for pid in await find_processes(renderer, kind):
        os.kill(pid, signal.SIGKILL)
    pdfs = await asyncio.gather(*renders)
    assert [raw.startswith(b"%PDF-") for raw in pdfs] == [True] * 4
    assert count_launches(renderer) == (1 if kind == "renderer" else 2)


async def test_concurrent_renders_share_the_launch_after_the_browser_died(
    open_renderer: OpenRenderer,
) -> None:
    renderer = await open_renderer(slots=4)
    os.kill((await renderer.get_browser()).pid, signal.SIGKILL)
    await asyncio.gather(*(renderer.render(HTML, owner=None, within_s=30) for _ in range(8)))
    assert count_launches(renderer) == 2


async def test_an_endless_document_fails_at_its_deadline_and_frees_its_slot(
    open_renderer: OpenRenderer,
) -> None:
    renderer = await open_renderer(slots=1)
    # ops/bench/pdf measures how late the error comes.
    async with asyncio.timeout(30):
        with pytest.raises(Unavailable) as caught:
            await renderer.render(ENDLESS, owner=OWNER, within_s=1.0)
    assert caught.value.code == "pdf.deadline"
    assert (await renderer.render(HTML, owner=OWNER, within_s=20)).startswith(b"%PDF-")


async def test_a_render_that_waits_for_a_slot_fails_at_its_own_deadline(open_renderer: OpenRenderer) -> None:
    renderer = await open_renderer(slots=1)
    endless = asyncio.create_task(renderer.render(ENDLESS, owner=OWNER, within_s=30.0))
    await asyncio.sleep(0.05)
    with pytest.raises(Unavailable):
        await renderer.render(HTML, owner=None, within_s=0.3)
    assert not endless.done()
    endless.cancel()


async def test_a_stopped_renderer_process_fails_the_render_at_its_deadline(
    open_renderer: OpenRenderer,
) -> None:
    renderer = await open_renderer(slots=1)
    await renderer.render(HTML, owner=OWNER, within_s=20)
    stopped = await list_processes(renderer, "renderer")
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable):
            await renderer.render(HTML, owner=OWNER, within_s=0.5)
        assert (await renderer.render(HTML, owner=OWNER, within_s=20)).startswith(b"%PDF-")
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


async def test_a_page_is_replaced_after_its_renders_and_a_browser_after_its_own(
    open_renderer: OpenRenderer,
) -> None:
    renderer = await open_renderer(slots=1, page_renders=3, browser_renders=8)
    first = await renderer.get_browser()
    for _ in range(7):
        await renderer.render(HTML, owner=OWNER, within_s=20)
    assert (await renderer.get_browser()) is first
    assert max(page.renders for page in renderer._idle_pages) <= 3
    for _ in range(4):
        await renderer.render(HTML, owner=OWNER, within_s=20)
    await wait_until_ended(first.pid)
    assert (await renderer.get_browser()).number == 2
    assert not is_running(first.pid)


async def test_a_browser_with_too_much_memory_is_drained_and_replaced(open_renderer: OpenRenderer) -> None:
    renderer = await open_renderer(slots=1, browser_memory_bytes=1, memory_check_renders=2)
    first = await renderer.get_browser()
    for _ in range(4):
        assert (await renderer.render(HTML, owner=OWNER, within_s=20)).startswith(b"%PDF-")
    await wait_until_ended(first.pid)
    assert (await renderer.get_browser()).number > first.number
    assert not is_running(first.pid)


async def test_an_old_browser_is_drained_and_replaced(open_renderer: OpenRenderer) -> None:
    renderer = await open_renderer(slots=1, browser_age_s=1.5)
    first = await renderer.get_browser()
    await asyncio.sleep(1.6)
    assert (await renderer.render(HTML, owner=OWNER, within_s=20)).startswith(b"%PDF-")
    await wait_until_ended(first.pid)
    assert (await renderer.render(HTML, owner=OWNER, within_s=20)).startswith(b"%PDF-")
    assert (is_running(first.pid), count_launches(renderer, "age")) == (False, 1)


async def test_a_browser_that_fails_too_often_in_a_row_is_replaced(open_renderer: OpenRenderer) -> None:
    renderer = await open_renderer(slots=1, browser_failures=3)
    first = await renderer.get_browser()
    await fail_renders(renderer, 2)
    # A success in between resets the count of failures.
    assert (await renderer.render(HTML, owner=OWNER, within_s=20)).startswith(b"%PDF-")
    await fail_renders(renderer, 2)
    assert (await renderer.get_browser()) is first
    await fail_renders(renderer, 1)
    await wait_until_ended(first.pid)
    assert (await renderer.render(HTML, owner=OWNER, within_s=20)).startswith(b"%PDF-")
    assert (is_running(first.pid), count_launches(renderer, "failures")) == (False, 1)


async def fail_renders(renderer: Renderer, times: int) -> None:
    """Render a document that never ends, so many times."""
    for _ in range(times):
        with pytest.raises(Unavailable):
            await renderer.render(ENDLESS, owner=OWNER, within_s=0.5)


async def wait_until_ended(pid: int, seconds: int = 5) -> None:
    """Wait until a process has ended."""
    for _ in range(seconds * 20):
        if not is_running(pid):
            return
        await asyncio.sleep(0.05)


async def test_no_process_is_left_after_close(open_renderer: OpenRenderer) -> None:
    renderer = await open_renderer()
    pids = [(await renderer.get_browser()).pid, find_driver((await renderer.get_browser()).pid)]
    await renderer.close()
    assert [pid for pid in pids if is_running(pid)] == []
    with pytest.raises(Unavailable):
        await renderer.render(HTML, owner=None, within_s=5)


async def test_a_hanging_renderer_process_ends_with_its_browser(open_renderer: OpenRenderer) -> None:
    renderer = await open_renderer(slots=1)
    await renderer.render(HTML, owner=OWNER, within_s=20)
    stopped = await list_processes(renderer, "renderer")
    assert stopped
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    os.kill((await renderer.get_browser()).pid, signal.SIGKILL)
    assert (await renderer.render(HTML, owner=OWNER, within_s=20)).startswith(b"%PDF-")
    for pid in stopped:
        await wait_until_ended(pid)
    left = [pid for pid in stopped if is_running(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


async def test_a_document_that_is_too_large_is_refused(open_renderer: OpenRenderer) -> None:
    renderer = await open_renderer(html_length=100)
    with pytest.raises(Invalid) as caught:
        await renderer.render("x" * 101, owner=None, within_s=5)
    assert caught.value.code == "pdf.too_large"


async def test_a_missing_chromium_is_an_error() -> None:
    renderer = Renderer(Metrics(), executable="no-such-chromium")
    with pytest.raises(Unavailable) as caught:
        await renderer.start()
    assert caught.value.code == "pdf.no_chromium"
    await renderer.close()
