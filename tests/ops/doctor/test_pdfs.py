import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from kernel.settings import Profile, Settings
from ops.doctor import pdfs
from ops.doctor.finding import Finding


async def test_a_disk_that_is_nearly_full(healthy: dict[str, str], tmp_path: Path) -> None:
    settings = Settings.from_environ(healthy)
    (finding,) = await _collect(pdfs.examine_blobs(settings, lambda _: None, min_free_bytes=2**62))
    assert re.fullmatch(
        rf"Only \d+ MiB are free where PDFs are stored \({tmp_path}/blobs\)\.", finding.problem
    )


async def test_in_production_a_relative_folder_is_no_place_for_blobs(
    healthy: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = replace(Settings.from_environ(healthy), profile=Profile.PRODUCTION, blobs_url="blobs")
    (finding,) = await _collect(pdfs.examine_blobs(settings, lambda _: None, min_free_bytes=0))
    assert "a different folder for processes that start elsewhere" in finding.problem


@pytest.mark.parametrize(
    ("script", "problem", "remedy"),
    [
        (None, "There is no Chromium: none of ", "chromium-headless-shell"),
        ("exit 127", "Chromium does not render: Chromium could not be started.", "libraries may be missing"),
    ],
)
async def test_a_chromium_that_is_missing_or_does_not_start(
    healthy: dict[str, str], tmp_path: Path, script: str | None, problem: str, remedy: str
) -> None:
    program = tmp_path / "chromium"
    if script is not None:
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
        program.chmod(0o755)
    settings = Settings.from_environ(healthy | {"PORTAL_CHROMIUM": str(program)})
    (finding,) = await _collect(pdfs.examine_chromium(settings, lambda _: None))
    assert finding.problem.startswith(problem)
    assert remedy in finding.remedy


async def test_in_production_printing_without_the_sandbox_is_a_finding(healthy: dict[str, str]) -> None:
    careless = Settings.from_environ(healthy | {"PORTAL_CHROMIUM_SANDBOX": "false"})
    assert await _collect(pdfs.examine_chromium(careless, lambda _: None)) == []
    (finding,) = await _collect(
        pdfs.examine_chromium(replace(careless, profile=Profile.PRODUCTION), lambda _: None)
    )
    assert finding.problem == "Chromium renders without its own sandbox: PORTAL_CHROMIUM_SANDBOX is false."


async def test_fonts_that_are_not_all_there(tmp_path: Path) -> None:
    (finding,) = await _collect(pdfs.examine_fonts(lambda _: None, tmp_path))
    assert finding.problem == "The fonts of the PDFs have not been built."
    face = '[{"family":"Sans","weight":400,"file":"sans.woff2","ranges":"U+41"}]'
    (tmp_path / "index.json").write_text(face, encoding="ascii")
    (finding,) = await _collect(pdfs.examine_fonts(lambda _: None, tmp_path))
    assert finding.problem == f"A font of the PDFs is missing: {tmp_path}/sans.woff2."


async def _collect(findings: AsyncIterator[Finding]) -> list[Finding]:
    return [finding async for finding in findings]
