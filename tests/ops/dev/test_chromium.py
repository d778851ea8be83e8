import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.dev import chromium


@pytest.fixture
def no_chromium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine without a Chromium: PATH and Playwright's folder are empty folders below the one that is returned."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    monkeypatch.setenv("PATH", str(bin_folder))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    chromium.find_chromium.cache_clear()
    yield tmp_path
    chromium.find_chromium.cache_clear()


def _program(path: Path, script: str = "echo Chromium 1.2.3") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    path.chmod(0o755)
    return str(path)


def test_the_chromium_that_is_found_runs() -> None:
    output = subprocess.run(
        [chromium.find_chromium(), "--version"], check=True, capture_output=True, text=True
    ).stdout
    assert "Chrom" in output


def test_the_headless_shell_comes_before_the_whole_browser(no_chromium: Path) -> None:
    _program(no_chromium / "bin" / "chromium")
    shell = _program(no_chromium / "bin" / "chromium-headless-shell")
    assert chromium.find_chromium() == shell


def test_playwrights_own_download_is_found_when_none_is_on_the_path(no_chromium: Path) -> None:
    shell = _program(
        no_chromium / "playwright" / "chromium_headless_shell-1187" / "chrome-linux" / "headless_shell"
    )
    assert chromium.find_chromium() == shell


def test_a_chromium_that_does_not_start_is_ignored(no_chromium: Path) -> None:
    _program(
        no_chromium / "bin" / "chromium-headless-shell", "echo 'error while loading libnss3.so' >&2; exit 127"
    )
    _program(no_chromium / "bin" / "chromium-browser", "echo 'requires the chromium snap'; exit 1")
    working = _program(no_chromium / "bin" / "google-chrome")
    assert chromium.find_chromium() == working


def test_without_a_chromium_the_error_says_what_to_install(no_chromium: Path) -> None:
    with pytest.raises(chromium.ChromiumMissing, match="Install Chromium"):
        chromium.find_chromium()


def test_a_failed_installation_is_reported_with_its_commands(
    no_chromium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing listens on the download host; there is no package manager on this PATH.
    monkeypatch.setenv("PLAYWRIGHT_DOWNLOAD_HOST", "http://127.0.0.1:9")
    reported: list[str] = []
    with pytest.raises(chromium.ChromiumMissing, match="Install Chromium") as refused:
        chromium.find_or_install(reported.append)
    assert len(reported) == 1
    assert "playwright install chromium-headless-shell" in reported[0]
    assert "connect ECONNREFUSED 127.0.0.1:9" in str(refused.value)


def test_the_chromium_of_the_package_manager_is_found(
    no_chromium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root installs packages")
    monkeypatch.setenv("PLAYWRIGHT_DOWNLOAD_HOST", "http://127.0.0.1:9")
    shell = no_chromium / "bin" / "chromium-headless-shell"
    _program(
        no_chromium / "bin" / "apt-get", f'[ "$1" = update ] || /bin/cp {no_chromium / "installed"} {shell}'
    )
    _program(no_chromium / "installed")
    assert chromium.find_or_install(lambda _: None) == str(shell)
