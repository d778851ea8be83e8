"""Finds the Chromium of the demo and the tests, and installs one when there is none."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from workers.pdf.sandbox import CHROMIUM_NAMES

PACKAGES = ("chromium-headless-shell", "chromium")
DOWNLOAD_SECONDS = 900
VERSION_SECONDS = 30
INSTALL_HINT = "Install Chromium or Google Chrome so that it is on PATH and run this again."


class ChromiumMissing(RuntimeError):
    """There is no Chromium and none could be installed; the message holds what was tried."""


@functools.cache
def find_chromium() -> str:
    """Return the path of a Chromium that starts: on PATH, as the worker looks, else Playwright's.

    Raises ChromiumMissing.
    """
    on_path = (shutil.which(name) for name in CHROMIUM_NAMES)
    for path in (*on_path, *_list_downloads()):
        if path and _can_start(path):
            return path
    message = f"There is no Chromium here. ops/demo and ops/test install one. {INSTALL_HINT}"
    raise ChromiumMissing(message)


def build_launch_arguments() -> list[str]:
    """Return the flags of every launch in tests: no requests of Chromium's own, and as root no sandbox."""
    offline = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
        "--no-first-run",
        "--disable-dev-shm-usage",
    ]
    return ["--no-sandbox", *offline] if os.geteuid() == 0 else offline


def find_or_install(report: Callable[[str], None]) -> str:
    """Return the path of a Chromium: an installed one, else Playwright's, else, as root, the distribution's.

    `report` gets each command line before it runs. Raises ChromiumMissing.
    """
    try:
        return find_chromium()
    except ChromiumMissing:
        tried = [_install([sys.executable, "-m", "playwright", "install", "chromium-headless-shell"], report)]
    # On a bare machine Playwright's Chromium lacks libraries, which the distribution's package installs.
    if not any(map(_can_start, _list_downloads())) and os.geteuid() == 0 and shutil.which("apt-get"):
        tried.append(_install(["apt-get", "update"], report))
        for package in PACKAGES:
            tried.append(_install(["apt-get", "install", "-y", "--no-install-recommends", package], report))
            if shutil.which(package):
                break
    find_chromium.cache_clear()
    try:
        return find_chromium()
    except ChromiumMissing:
        message = f"No Chromium could be installed. {INSTALL_HINT} What was tried:\n" + "\n".join(tried)
        raise ChromiumMissing(message) from None


def _can_start(path: str) -> bool:
    """Whether it starts: Ubuntu has a script in place of Chromium, a download may lack its libraries."""
    try:
        result = subprocess.run(
            [path, "--version"], check=False, capture_output=True, timeout=VERSION_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0


def _list_downloads() -> list[str]:
    """Return the headless shells and Chromiums in Playwright's own folder, the newest first."""
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or _find_cache())
    found = [
        *folder.glob("chromium*-*/chrome*/headless_shell"),
        *folder.glob("chromium*-*/chrome*/chrome-headless-shell"),
        *folder.glob("chromium-*/chrome*/chrome"),
    ]
    return [str(path) for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)]


def _find_cache() -> Path:
    home = Path.home()
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "ms-playwright"


def _install(command: list[str], report: Callable[[str], None]) -> str:
    """Run an installer; returns its command line and its errors, or the end of its output."""
    report(f"{' '.join(command)} …")
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        result = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, env=environ
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"$ {' '.join(command)}\n{error}"
    lines = (result.stdout + result.stderr).strip().splitlines()
    errors = [line for line in lines if line.startswith(("Error", "E:"))] or lines
    return f"$ {' '.join(command)}  (code {result.returncode})\n" + "\n".join(errors[-6:])
