"""Measures the renderer against bare CDP calls and other usual methods of rendering PDFs.

Run it as `ops/bench/pdf`. Every method renders the same invoice; rounds are interleaved, so that a change of the
machine's speed affects all alike. Processor time is that of the whole tree of processes. Ratios are medians of rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections.abc import Sequence

from playwright.async_api import Browser, Playwright, async_playwright

from ops.bench import pdf_measurements, pdf_methods
from ops.bench.job_queue import QueueResult, measure_queue
from ops.bench.page_pdf_comparison import compare_page_and_pdf
from ops.bench.pdf_methods import METADATA, OWNER, Method
from ops.bench.resource_usage import Cost, become_subreaper
from ops.bench.result import Row, report
from tenants.invoices.document.fonts import Fonts
from workers.pdf.postprocess import postprocess
from workers.pdf.renderer import Renderer

RENDERER, POSTPROCESSED, BARE = "renderer, warm page", "renderer, post-processed", "bare CDP, same page"
CONTEXT, BROWSER, WEASYPRINT = "context per job", "browser per job", "WeasyPrint"
KILLED_PROCESSES = ("browser", "renderer", "driver")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table and the RESULT line; exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="ops/bench/pdf", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="rounds of every method (15)")
    parser.add_argument(
        "--repeats", type=int, default=4, help="PDFs of each method in a round (4; one of WeasyPrint)"
    )
    options = parser.parse_args(arguments)
    pdf_methods.find_configured_chromium()
    become_subreaper()
    rows = asyncio.run(_measure(options.rounds, options.repeats))
    print("Starting Postgres, Redis, relay and worker …", flush=True)
    queue = measure_queue(rounds=max(3, options.rounds // 5))
    print("Comparing page and PDF …", flush=True)
    comparison = compare_page_and_pdf()
    name = "page against PDF, words and pixels: invoices that differ"
    return report(
        [
            *rows,
            *_build_queue_rows(queue),
            Row(name, comparison.different, 0, at_most=True, reason=comparison.reason),
        ]
    )


async def _measure(rounds: int, repeats: int) -> list[Row]:
    fonts = Fonts.load()
    html = pdf_methods.render_sheet_html(fonts)
    renderer = pdf_methods.create_renderer(2, fonts)
    await renderer.start()
    no_weasyprint = await _explain_no_weasyprint(html)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(**pdf_methods.find_configured_chromium().launch_options)
        methods = await _build_methods(playwright, browser, renderer, html, repeats)
        if not no_weasyprint:
            methods.append(Method(WEASYPRINT, lambda: pdf_methods.render_with_weasyprint(html), 1))
        results = await pdf_methods.measure_methods(methods, rounds)
        await browser.close()
    _print_table(results)
    print("First PDFs, post-processing, memory, crashes, vectors …", flush=True)
    raw = await renderer.render(html, owner=OWNER, within_s=60)
    rows = [
        *_build_cost_rows(results, no_weasyprint),
        Row(
            "pre-warmed context / warm page, wall",
            await pdf_measurements.measure_first_pdfs(renderer, html, rounds),
            1.2,
            True,
        ),
        Row(
            "post-processing / render, wall",
            await pdf_measurements.measure_postprocessing(renderer, html, rounds),
            0.35,
            True,
        ),
        Row("size after / before post-processing", len(postprocess(raw, METADATA)) / len(raw), 0.5, True),
        Row("memory at 300 / at 75 PDFs", await pdf_measurements.measure_memory_growth(html), 1.10, True),
        Row("vectors of 26 that reach anything", await pdf_measurements.count_leaks(renderer), 0, True),
        Row("hashes of one document, crash included", await pdf_measurements.count_hashes(html), 1, True),
    ]
    await renderer.close()
    endless = await pdf_measurements.measure_endless_document()
    return [
        *rows,
        Row("endless document: error after the deadline, s", endless.error_delay_s, 0.5, True),
        Row("endless document: next PDF of the slot, s", endless.slot_delay_s, 0.5, True),
    ]


async def _build_methods(
    playwright: Playwright, browser: Browser, renderer: Renderer, html: str, repeats: int
) -> list[Method]:
    return [
        Method(RENDERER, lambda: renderer.render(html, owner=OWNER, within_s=60), repeats),
        Method(POSTPROCESSED, lambda: pdf_methods.render_and_postprocess(renderer, html), repeats),
        Method(BARE, await pdf_methods.prepare_bare_cdp(browser, html), repeats),
        Method(CONTEXT, lambda: pdf_methods.render_in_new_context(browser, html), repeats),
        Method(BROWSER, lambda: pdf_methods.render_in_new_browser(playwright, html), repeats),
    ]


async def _explain_no_weasyprint(html: str) -> str:
    """Return why WeasyPrint cannot be measured; empty when it can."""
    try:
        await pdf_methods.render_with_weasyprint(html)
    except (ImportError, OSError) as error:
        return str(error).splitlines()[0]
    return ""


def _print_table(results: dict[str, list[Cost]]) -> None:
    print(f"\n{'method':<22} {'wall ms':>8} {'CPU ms':>8}")
    for name, costs in results.items():
        wall, cpu = statistics.median(c.wall for c in costs), statistics.median(c.cpu for c in costs)
        print(f"{name:<22} {wall:>8.1f} {cpu:>8.1f}")
    print()


def _build_cost_rows(results: dict[str, list[Cost]], no_weasyprint: str) -> list[Row]:
    """Return the processor time of the other methods divided by the renderer's, medians of rounds."""

    def cpu(of: str, to: str) -> float:
        return statistics.median(a.cpu / b.cpu for a, b in zip(results[of], results[to], strict=True))

    return [
        Row("browser per job / renderer, CPU", cpu(BROWSER, RENDERER), 5.0),
        Row("context per job / renderer, CPU", cpu(CONTEXT, RENDERER), 2.5),
        Row("renderer / bare CDP, CPU", cpu(RENDERER, BARE), 1.15, True),
        Row(
            "WeasyPrint / renderer with post-processing, CPU",
            None if no_weasyprint else cpu(WEASYPRINT, POSTPROCESSED),
            8.0,
            reason=no_weasyprint,
        ),
    ]


def _build_queue_rows(queue: QueueResult) -> list[Row]:
    rows = [Row("through the queue / directly, throughput", queue.throughput_ratio, 0.7)]
    for kind in KILLED_PROCESSES:
        rows.append(Row(f"{kind} killed: jobs lost", queue.lost_jobs[kind], 0, True))
        rows.append(Row(f"{kind} killed: next result, s", queue.recovery_s[kind], 2.5, True))
    return rows


if __name__ == "__main__":
    sys.exit(main())
