"""What a PDF costs on the press, against a bare print over CDP and the ways in which PDFs are usually made.

Run it as `ops/bench/pdf`. Every way prints the same invoice; rounds are interleaved, so that a change of the machine's
pace meets all alike. CPU is that of the whole tree of processes. Ratios are medians of rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
from base64 import b64decode
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter

from playwright.async_api import Browser, Playwright, async_playwright

from kernel.ids import WorkspaceId, new_id
from kernel.language import Language
from kernel.telemetry.metrics import Metrics
from ops.bench.result import Row, report
from ops.seed.workspaces import TENANTS
from tenants.invoices.document.fonts import Fonts
from tenants.invoices.document.model import CATALOGUES, document
from tenants.invoices.document.sheet import render_sheet
from tenants.invoices.document.values import DocumentBrand
from tenants.invoices.totals import totals
from workers.press.finish import About, finish
from workers.press.press import Limits, Press
from workers.press.processes import resident_bytes
from workers.press.shut_in import CONTEXT, find_chromium, launch_options
from workers.press.slot import PRINT

OWNER = WorkspaceId(new_id())
ABOUT = About("Invoice", "Bench", "de", datetime(2026, 3, 16, tzinfo=UTC))
_TICKS = os.sysconf("SC_CLK_TCK")
Way = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Cost:
    """One print: milliseconds on the wall clock and of all processors."""

    wall: float
    cpu: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table and the RESULT line; exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="ops/bench/pdf", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="rounds of every way (15)")
    parser.add_argument("--each", type=int, default=4, help="prints of each way in a round (4)")
    given = parser.parse_args(arguments)
    return asyncio.run(_bench(given.rounds, given.each))


async def _bench(rounds: int, each: int) -> int:
    html = _sheet()
    press = Press(Metrics(), limits=Limits(slots=2))
    await press.start()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(**launch_options(find_chromium(playwright)))
        leftover: list[Browser] = []
        ways = {
            "press, warm page": lambda: press.print(html, owner=OWNER, within_s=60),
            "bare CDP, same page": await _bare(browser, html),
            "context per job": lambda: _in_a_context(browser, html),
            "browser per job": lambda: _in_a_browser(playwright, html, leftover),
        }
        found = await _measure(ways, rounds, each, leftover)
        await browser.close()
    spare = await _spares(press, html, rounds)
    raw = await press.print(html, owner=OWNER, within_s=60)
    finishing = [await _finishing(press, html) for _ in range(rounds)]
    growth = await _growth(press, html)
    await press.close()
    _table(found)
    return report(_rows(found, spare, finishing, len(finish(raw, ABOUT)) / len(raw), growth))


def _sheet() -> str:
    """Forty lines on two or three pages: what rendering.md's figures are about."""
    tenant = next(tenant for tenant in TENANTS if tenant.new.slug == "nordlicht")
    content = next(e.content for e in tenant.examples(date(2026, 3, 16)) if "lines-40" in e.tags)
    language = Language.load("de-DE", (CATALOGUES,))
    model = document(content, totals(content), "INV-1", language, brand=DocumentBrand("Bench"))
    return render_sheet(model, Fonts.load())


async def _bare(browser: Browser, html: str) -> Way:
    """Only the two calls, on a page of its own: what nobody can go below."""
    context = await browser.new_context(**CONTEXT)
    page = await context.new_page()
    cdp = await context.new_cdp_session(page)
    frame = (await cdp.send("Page.getFrameTree"))["frameTree"]["frame"]["id"]

    async def way() -> bytes:
        await cdp.send("Page.setDocumentContent", {"frameId": frame, "html": html})
        return b64decode((await cdp.send("Page.printToPDF", PRINT))["data"])

    return way


async def _in_a_context(browser: Browser, html: str) -> bytes:
    context = await browser.new_context(**CONTEXT)
    page = await context.new_page()
    await page.set_content(html, wait_until="load")
    printed: bytes = await page.pdf(
        print_background=True, prefer_css_page_size=True, tagged=True, outline=True
    )
    await context.close()
    return printed


async def _in_a_browser(playwright: Playwright, html: str, leftover: list[Browser]) -> bytes:
    browser = await playwright.chromium.launch(**launch_options(find_chromium(playwright)))
    # Closed between the rounds: what ended processes have used is no longer found. This way looks the cheaper for it.
    leftover.append(browser)
    return await _in_a_context(browser, html)


async def _measure(
    ways: dict[str, Way], rounds: int, each: int, leftover: list[Browser]
) -> dict[str, list[Cost]]:
    for way in ways.values():
        for _ in range(3):
            await way()
    while leftover:
        await leftover.pop().close()
    found: dict[str, list[Cost]] = {name: [] for name in ways}
    for done in range(rounds):
        print(f"Round {done + 1} of {rounds} …", flush=True)
        for name, way in ways.items():
            began, spent = perf_counter(), _cpu()
            for _ in range(each):
                await way()
            cost = Cost((perf_counter() - began) * 1000 / each, (_cpu() - spent) * 1000 / each)
            found[name].append(cost)
            while leftover:
                await leftover.pop().close()
    return found


async def _spares(press: Press, html: str, rounds: int) -> float:
    """Latency of a first print for a workspace, on a context opened beforehand, over that of a warm page."""
    ratios = []
    for _ in range(rounds):
        await press.warm()
        await asyncio.sleep(0.2)  # while nobody asks, as between two customers
        began = perf_counter()
        await press.print(html, owner=WorkspaceId(new_id()), within_s=60)
        first = perf_counter() - began
        await asyncio.sleep(0.2)
        began = perf_counter()
        await press.print(html, owner=OWNER, within_s=60)
        ratios.append((perf_counter() - began) / first)
    return statistics.median(ratios)


async def _growth(press: Press, html: str) -> float:
    """Memory after 75 prints over memory after 300."""
    weights = []
    for upto in (75, 225):
        for _ in range(upto):
            await press.print(html, owner=OWNER, within_s=60)
        weights.append(resident_bytes(await (await press.generation()).count_processes()))
    return weights[0] / weights[1]


async def _finishing(press: Press, html: str) -> float:
    """Time of a print over the time of finishing it, one right after the other."""
    began = perf_counter()
    raw = await press.print(html, owner=OWNER, within_s=60)
    printed = perf_counter()
    finish(raw, ABOUT)
    return (printed - began) / (perf_counter() - printed)


def _cpu() -> float:
    """Seconds that this process and everything below it have used, those that ended included."""
    stats: dict[int, list[str]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stats[int(folder.name)] = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
    ours, grew = {os.getpid()}, True
    while grew:
        below = {pid for pid, stat in stats.items() if int(stat[1]) in ours} - ours
        ours |= below
        grew = bool(below)
    return sum(sum(map(int, stats[pid][11:15])) for pid in ours if pid in stats) / _TICKS


def _table(found: dict[str, list[Cost]]) -> None:
    print(f"\n{'way':<22} {'wall ms':>8} {'CPU ms':>8}")
    for name, costs in found.items():
        wall, cpu = statistics.median(c.wall for c in costs), statistics.median(c.cpu for c in costs)
        print(f"{name:<22} {wall:>8.1f} {cpu:>8.1f}")
    print()


def _rows(
    found: dict[str, list[Cost]], spare: float, finishing: list[float], size: float, growth: float
) -> list[Row]:
    """Every ratio with the better side above, as the form of results wants it."""

    def cpu(of: str) -> float:
        pairs = zip(found[of], found["press, warm page"], strict=True)
        return statistics.median(a.cpu / b.cpu for a, b in pairs)

    return [
        Row("browser per job / press, CPU", cpu("browser per job"), 5.0),
        Row("context per job / press, CPU", cpu("context per job"), 2.5),
        Row("bare CDP / press, CPU", cpu("bare CDP, same page"), 1 / 1.15),
        Row("warm page / pre-warmed context, wall", spare, 1 / 1.2),
        Row("render / finish, wall", statistics.median(finishing), 1 / 0.35),
        Row("size before / after finishing", 1 / size, 2.0),
        Row("memory at 75 / at 300 prints", growth, 1 / 1.10),
    ]


if __name__ == "__main__":
    sys.exit(main())
