"""The same document gives the same bytes, wherever and whenever it is printed."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from dataclasses import replace

import pytest

from kernel.ids import WorkspaceId, new_id
from kernel.telemetry.metrics import Metrics
from tests.fakes.papers import ABOUT, logo, sheet
from workers.press.finish import finish
from workers.press.press import Limits, Press
from workers.press.processes import kill


async def printed(press: Press, html: str, owner: WorkspaceId | None) -> str:
    raw = await press.print(html, owner=owner, within_s=30)
    return hashlib.sha256(finish(raw, ABOUT)).hexdigest()


@pytest.mark.parametrize("tag", ["lines-3", "lines-40", "rtl", "japanese", "hostile-text", "lines-200"])
async def test_one_hash_over_reused_page_new_context_new_browser_and_after_a_crash(
    press: Press, tag: str
) -> None:
    html = sheet(tag, logo=logo())
    owner = WorkspaceId(new_id())
    hashes = {await printed(press, html, owner) for _ in range(3)}
    # Another document in between: what counts on in the browser must not be seen.
    await printed(press, sheet("lines-10"), owner)
    hashes.add(await printed(press, html, owner))
    hashes.add(await printed(press, html, WorkspaceId(new_id())))
    hashes.add(await printed(press, html, None))
    another = Press(Metrics(), limits=Limits(slots=1))
    await another.start()
    hashes.add(await printed(another, html, owner))
    doomed = await another.generation()
    kill(doomed.pid, doomed.group)
    hashes.add(await printed(another, html, owner))
    await another.close()
    assert len(hashes) == 1


async def test_documents_printed_side_by_side_are_what_they_are_alone(press: Press) -> None:
    tags = ("lines-3", "rtl", "paid", "huge", "allowances", "japanese")
    sheets = [sheet(tag) for tag in tags]
    alone = [await printed(press, html, None) for html in sheets]
    together = await asyncio.gather(*(printed(press, html, WorkspaceId(new_id())) for html in sheets * 3))
    assert list(together) == alone * 3
    assert len(set(alone)) == len(tags)


async def test_what_the_file_says_of_itself_is_in_its_bytes_and_the_machines_time_is_not(
    press: Press,
) -> None:
    raw = await press.print(sheet("lines-3"), owner=None, within_s=30)
    later = replace(ABOUT, moment=ABOUT.moment + dt.timedelta(days=1))
    assert finish(raw, ABOUT) == finish(raw, ABOUT)
    assert finish(raw, ABOUT) != finish(raw, later)
    assert b"2026-03-16" not in raw
