import subprocess
from pathlib import Path

import pytest

from ops import browser


def test_the_chromium_that_is_found_runs() -> None:
    said = subprocess.run(
        [browser.executable(), "--version"], check=True, capture_output=True, text=True
    ).stdout
    assert "Chrom" in said


def test_playwrights_own_download_is_found_when_none_is_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = tmp_path / "chromium_headless_shell-1187" / "chrome-linux" / "headless_shell"
    shell.parent.mkdir(parents=True)
    shell.touch(mode=0o755)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    browser.executable.cache_clear()
    try:
        assert browser.executable() == str(shell)
    finally:
        browser.executable.cache_clear()


def test_without_any_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    browser.executable.cache_clear()
    with pytest.raises(browser.NoBrowser, match="Install Chromium"):
        browser.executable()
