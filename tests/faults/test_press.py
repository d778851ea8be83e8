"""The press when things die under it: browser, renderer, driver; documents that never end; a browser that swells."""

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
from tests.fakes.papers import sheet
from workers.press.press import Limits, Press

PAPER = "<!DOCTYPE html><title>Paper</title><p>Paper"
# Tens of thousands of pages; no script is needed to keep a renderer busy.
ENDLESS = (
    '<!DOCTYPE html><title>-</title><div style="height:33000000px">x</div><p style="position:fixed;top:0">-'
)
OWNER = WorkspaceId(new_id())
OpenPress = Callable[..., Awaitable[Press]]


@pytest.fixture
async def opened() -> AsyncIterator[OpenPress]:
    """Open presses of the test's own, with their metrics."""
    made: list[Press] = []

    async def start(**limits: float) -> Press:
        press = Press(Metrics(), limits=Limits(**limits))  # type: ignore[arg-type]  # counts and seconds alike
        made.append(press)
        await press.start()
        return press

    yield start
    for press in made:
        await press.close()


def state(pid: int) -> list[str]:
    """Return what the kernel says of a process: its state, its parent …; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []


def is_running(pid: int) -> bool:
    return state(pid)[:1] not in ([], ["Z"])


def driver_of(browser: int) -> int:
    """Return the child of this process that is above the browser; a script may stand between."""
    pid = browser
    while (above := int(state(pid)[1])) != os.getpid():
        pid = above
    return pid


async def processes(press: Press, kind: str) -> list[int]:
    told = await (await press.generation()).control.send("SystemInfo.getProcessInfo")
    return [int(each["id"]) for each in told["processInfo"] if each["type"] == kind]


def launches(press: Press, reason: str | None = None) -> float:
    families = list(press._metrics.press_launches.collect())
    counters = [each for each in families[0].samples if each.name.endswith("_total")]
    return sum(each.value for each in counters if reason in {None, *each.labels.values()})


async def victim(press: Press, who: str) -> list[int]:
    browser = (await press.generation()).pid
    if who == "browser":
        return [browser]
    if who == "driver":
        return [driver_of(browser)]
    return await processes(press, "renderer")


@pytest.mark.parametrize("who", ["browser", "renderer", "driver"])
async def test_what_is_killed_while_idle_costs_the_next_document_little(opened: OpenPress, who: str) -> None:
    press = await opened(slots=2)
    await press.print(PAPER, owner=OWNER, within_s=20)
    for pid in await victim(press, who):
        os.kill(pid, signal.SIGKILL)
    assert (await press.print(PAPER, owner=OWNER, within_s=20)).startswith(b"%PDF-")


@pytest.mark.parametrize("who", ["browser", "renderer", "driver"])
async def test_what_is_killed_while_it_prints_loses_no_document(opened: OpenPress, who: str) -> None:
    press = await opened(slots=2)
    html = sheet("lines-1000")
    printing = [asyncio.create_task(press.print(html, owner=OWNER, within_s=60)) for _ in range(4)]
    await asyncio.sleep(0.3)
    assert not any(task.done() for task in printing)
    for pid in await victim(press, who):
        os.kill(pid, signal.SIGKILL)
    pages = await asyncio.gather(*printing)
    assert [raw.startswith(b"%PDF-") for raw in pages] == [True] * 4
    assert launches(press) == (1 if who == "renderer" else 2)


async def test_many_who_find_the_browser_dead_launch_one(opened: OpenPress) -> None:
    press = await opened(slots=4)
    os.kill((await press.generation()).pid, signal.SIGKILL)
    await asyncio.gather(*(press.print(PAPER, owner=None, within_s=30) for _ in range(8)))
    assert launches(press) == 2


async def test_a_document_that_never_ends_fails_at_its_deadline_and_frees_its_slot(opened: OpenPress) -> None:
    press = await opened(slots=1)
    # How late at most is a row of ops/bench/pdf.
    async with asyncio.timeout(30):
        with pytest.raises(Unavailable) as caught:
            await press.print(ENDLESS, owner=OWNER, within_s=1.0)
    assert caught.value.code == "press.deadline"
    assert (await press.print(PAPER, owner=OWNER, within_s=20)).startswith(b"%PDF-")


async def test_who_waits_behind_an_endless_document_gives_up_at_its_own_deadline(opened: OpenPress) -> None:
    press = await opened(slots=1)
    endless = asyncio.create_task(press.print(ENDLESS, owner=OWNER, within_s=30.0))
    await asyncio.sleep(0.05)
    with pytest.raises(Unavailable):
        await press.print(PAPER, owner=None, within_s=0.3)
    assert not endless.done()
    endless.cancel()


async def test_a_renderer_that_is_stopped_is_a_document_that_never_ends(opened: OpenPress) -> None:
    press = await opened(slots=1)
    await press.print(PAPER, owner=OWNER, within_s=20)
    stopped = await processes(press, "renderer")
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable):
            await press.print(PAPER, owner=OWNER, within_s=0.5)
        assert (await press.print(PAPER, owner=OWNER, within_s=20)).startswith(b"%PDF-")
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


async def test_a_page_is_replaced_after_its_renders_and_a_browser_after_its_own(opened: OpenPress) -> None:
    press = await opened(slots=1, page_renders=3, browser_renders=8)
    first = await press.generation()
    for _ in range(7):
        await press.print(PAPER, owner=OWNER, within_s=20)
    assert (await press.generation()) is first
    assert max(slot.renders for slot in press._idle) <= 3
    for _ in range(4):
        await press.print(PAPER, owner=OWNER, within_s=20)
    await settled(first.pid)
    assert (await press.generation()).number == 2
    assert not is_running(first.pid)


async def test_a_browser_that_holds_too_much_memory_is_drained_and_replaced(opened: OpenPress) -> None:
    press = await opened(slots=1, browser_bytes=1, weigh_every=2)
    first = await press.generation()
    for _ in range(4):
        assert (await press.print(PAPER, owner=OWNER, within_s=20)).startswith(b"%PDF-")
    await settled(first.pid)
    assert (await press.generation()).number > first.number
    assert not is_running(first.pid)


async def test_a_browser_that_is_old_is_drained_and_replaced(opened: OpenPress) -> None:
    press = await opened(slots=1, browser_s=1.5)
    first = await press.generation()
    await asyncio.sleep(1.6)
    assert (await press.print(PAPER, owner=OWNER, within_s=20)).startswith(b"%PDF-")
    await settled(first.pid)
    assert (await press.print(PAPER, owner=OWNER, within_s=20)).startswith(b"%PDF-")
    assert (is_running(first.pid), launches(press, "age")) == (False, 1)


async def test_a_browser_that_fails_again_and_again_is_replaced(opened: OpenPress) -> None:
    press = await opened(slots=1, failures=3)
    first = await press.generation()
    await fail(press, 2)
    # One that goes well in between: the failures are the documents', not the browser's.
    assert (await press.print(PAPER, owner=OWNER, within_s=20)).startswith(b"%PDF-")
    await fail(press, 2)
    assert (await press.generation()) is first
    await fail(press, 1)
    await settled(first.pid)
    assert (await press.print(PAPER, owner=OWNER, within_s=20)).startswith(b"%PDF-")
    assert (is_running(first.pid), launches(press, "failures")) == (False, 1)


async def fail(press: Press, times: int) -> None:
    """Ask so often for what never ends."""
    for _ in range(times):
        with pytest.raises(Unavailable):
            await press.print(ENDLESS, owner=OWNER, within_s=0.5)


async def settled(pid: int, seconds: int = 5) -> None:
    """Wait until a process is gone."""
    for _ in range(seconds * 20):
        if not is_running(pid):
            return
        await asyncio.sleep(0.05)


async def test_nothing_is_left_behind_when_the_press_closes(opened: OpenPress) -> None:
    press = await opened()
    pids = [(await press.generation()).pid, driver_of((await press.generation()).pid)]
    await press.close()
    assert [pid for pid in pids if is_running(pid)] == []
    with pytest.raises(Unavailable):
        await press.print(PAPER, owner=None, within_s=5)


async def test_a_renderer_that_hangs_does_not_outlive_its_browser(opened: OpenPress) -> None:
    press = await opened(slots=1)
    await press.print(PAPER, owner=OWNER, within_s=20)
    stopped = await processes(press, "renderer")
    assert stopped
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    os.kill((await press.generation()).pid, signal.SIGKILL)
    assert (await press.print(PAPER, owner=OWNER, within_s=20)).startswith(b"%PDF-")
    for pid in stopped:
        await settled(pid)
    left = [pid for pid in stopped if is_running(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


async def test_a_document_beyond_all_measure_is_refused_before_it_is_tried(opened: OpenPress) -> None:
    press = await opened(html_bytes=100)
    with pytest.raises(Invalid) as caught:
        await press.print("x" * 101, owner=None, within_s=5)
    assert caught.value.code == "press.too_large"


async def test_a_chromium_that_is_not_there_is_said_so() -> None:
    press = Press(Metrics(), executable="no-such-chromium")
    with pytest.raises(Unavailable) as caught:
        await press.start()
    assert caught.value.code == "press.no_chromium"
    await press.close()
