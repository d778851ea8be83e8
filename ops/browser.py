"""Finds the Chromium of the demo and the tests, and brings one when there is none."""

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
ANSWER_SECONDS = 30
CURE = "Install Chromium or Google Chrome so that it is on PATH and run this again."


class NoBrowser(RuntimeError):
    """There is no Chromium and none could be brought; the message holds what was tried."""


@functools.cache
def executable() -> str:
    """Return a Chromium that runs: one on PATH under the renderer's names, else Playwright's. Raises NoBrowser."""
    on_path = (shutil.which(name) for name in CHROMIUM_NAMES)
    for path in (*on_path, *_downloaded()):
        if path and _runs(path):
            return path
    message = f"There is no Chromium here. ops/demo and ops/test bring one. {CURE}"
    raise NoBrowser(message)


def arguments() -> list[str]:
    """Return the flags every launch needs: as root there is no sandbox, and nothing may talk to the network."""
    quiet = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
        "--no-first-run",
        "--disable-dev-shm-usage",
    ]
    return ["--no-sandbox", *quiet] if os.geteuid() == 0 else quiet


def ensure(say: Callable[[str], None]) -> str:
    """Return the path of a Chromium: one that is here, else Playwright's, else, as root, the distribution's.

    `say` hears each command line before it runs. Raises NoBrowser.
    """
    try:
        return executable()
    except NoBrowser:
        tried = [_try([sys.executable, "-m", "playwright", "install", "chromium-headless-shell"], say)]
    # Playwright's may have come and not run: on a bare machine the libraries are missing that a package brings along.
    if not any(map(_runs, _downloaded())) and os.geteuid() == 0 and shutil.which("apt-get"):
        tried.append(_try(["apt-get", "update"], say))
        for package in PACKAGES:
            tried.append(_try(["apt-get", "install", "-y", "--no-install-recommends", package], say))
            if shutil.which(package):
                break
    executable.cache_clear()
    try:
        return executable()
    except NoBrowser:
        message = f"No Chromium could be brought. {CURE} What was tried:\n" + "\n".join(tried)
        raise NoBrowser(message) from None


def _runs(path: str) -> bool:
    """Whether it starts at all: Ubuntu has a script in place of Chromium, a download may lack its libraries."""
    try:
        told = subprocess.run([path, "--version"], check=False, capture_output=True, timeout=ANSWER_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return told.returncode == 0


def _downloaded() -> list[str]:
    """Return the headless shells and Chromiums in Playwright's own folder, the newest first."""
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or _cache())
    found = [
        *folder.glob("chromium*-*/chrome*/headless_shell"),
        *folder.glob("chromium*-*/chrome*/chrome-headless-shell"),
        *folder.glob("chromium-*/chrome*/chrome"),
    ]
    return [str(path) for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)]


def _cache() -> Path:
    home = Path.home()
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "ms-playwright"


def _try(command: list[str], say: Callable[[str], None]) -> str:
    """Run an installer; returns its command line and the end of what it said."""
    say(f"{' '.join(command)} …")
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, env=environ
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"$ {' '.join(command)}\n{error}"
    lines = (done.stdout + done.stderr).strip().splitlines()
    said = [line for line in lines if line.startswith(("Error", "E:"))] or lines
    return f"$ {' '.join(command)}  (code {done.returncode})\n" + "\n".join(said[-6:])
