import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import browser


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine without any Chromium: nothing on PATH but the folder that is given, nothing of Playwright's."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    monkeypatch.setenv("PATH", str(bin_folder))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    browser.executable.cache_clear()
    yield tmp_path
    browser.executable.cache_clear()


def _program(path: Path, script: str = "echo Chromium 1.2.3") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    path.chmod(0o755)
    return str(path)


def test_the_chromium_that_is_found_runs() -> None:
    said = subprocess.run(
        [browser.executable(), "--version"], check=True, capture_output=True, text=True
    ).stdout
    assert "Chrom" in said


def test_the_headless_shell_comes_before_the_whole_browser(alone: Path) -> None:
    _program(alone / "bin" / "chromium")
    shell = _program(alone / "bin" / "chromium-headless-shell")
    assert browser.executable() == shell


def test_playwrights_own_download_is_found_when_none_is_on_the_path(alone: Path) -> None:
    shell = _program(
        alone / "playwright" / "chromium_headless_shell-1187" / "chrome-linux" / "headless_shell"
    )
    assert browser.executable() == shell


def test_what_does_not_start_is_passed_over(alone: Path) -> None:
    _program(alone / "bin" / "chromium-headless-shell", "echo 'error while loading libnss3.so' >&2; exit 127")
    _program(alone / "bin" / "chromium-browser", "echo 'requires the chromium snap'; exit 1")
    working = _program(alone / "bin" / "google-chrome")
    assert browser.executable() == working


def test_without_any_it_says_what_to_do(alone: Path) -> None:
    with pytest.raises(browser.NoBrowser, match="Install Chromium"):
        browser.executable()


def test_what_cannot_be_brought_is_said_with_what_was_tried(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Playwright asks a host that nobody has; there is no package manager on this PATH.
    monkeypatch.setenv("PLAYWRIGHT_DOWNLOAD_HOST", "http://127.0.0.1:9")
    said: list[str] = []
    with pytest.raises(browser.NoBrowser, match="Install Chromium") as refused:
        browser.ensure(said.append)
    assert len(said) == 1
    assert "playwright install chromium-headless-shell" in said[0]
    assert "connect ECONNREFUSED 127.0.0.1:9" in str(refused.value)


def test_what_the_package_manager_brought_is_found(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root installs packages")
    monkeypatch.setenv("PLAYWRIGHT_DOWNLOAD_HOST", "http://127.0.0.1:9")
    shell = alone / "bin" / "chromium-headless-shell"
    _program(alone / "bin" / "apt-get", f'[ "$1" = update ] || /bin/cp {alone / "brought"} {shell}')
    _program(alone / "brought")
    assert browser.ensure(lambda words: None) == str(shell)
