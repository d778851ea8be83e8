"""Finds a Chromium for the browser tests, and brings one when there is none."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium-headless-shell", "chromium")
DOWNLOAD_SECONDS = 900
CURE = "Install Chromium or Google Chrome so that it is on PATH and run this again."


class NoBrowser(RuntimeError):
    """There is no Chromium and none could be brought; the message holds what was tried."""


@functools.cache
def executable() -> str:
    """Return the path of a Chromium: one on PATH, else the one that Playwright downloaded. Raises NoBrowser."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    if path := _downloaded():
        return path
    message = f"There is no Chromium here. ops/test brings one. {CURE}"
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


def ensure() -> str:
    """Return the path of a Chromium, brought by Playwright or, as root, by the distribution. Raises NoBrowser."""
    try:
        return executable()
    except NoBrowser:
        tried = [_try([sys.executable, "-m", "playwright", "install", "chromium-headless-shell"])]
    if not (path := _downloaded()) and os.geteuid() == 0 and shutil.which("apt-get"):
        tried.append(_try(["apt-get", "update"]))
        for package in PACKAGES:
            tried.append(_try(["apt-get", "install", "-y", "--no-install-recommends", package]))
            if any(shutil.which(name) for name in NAMES):
                break
    executable.cache_clear()
    try:
        return path or executable()
    except NoBrowser:
        message = f"No Chromium could be brought. {CURE} What was tried:\n" + "\n".join(tried)
        raise NoBrowser(message) from None


def _downloaded() -> str | None:
    """Return the newest headless shell or Chromium in Playwright's own folder."""
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or _cache())
    found = [
        *folder.glob("chromium*-*/chrome*/headless_shell"),
        *folder.glob("chromium*-*/chrome*/chrome-headless-shell"),
    ]
    found += folder.glob("chromium-*/chrome*/chrome")
    newest = max(found, key=lambda path: path.stat().st_mtime, default=None)
    return str(newest) if newest else None


def _cache() -> Path:
    home = Path.home()
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "ms-playwright"


def _try(command: list[str]) -> str:
    """Run an installer; returns its command line and the end of what it said."""
    print(f"· {' '.join(command)} …", flush=True)
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, env=environ
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"$ {' '.join(command)}\n{error}"
    said = (done.stdout + done.stderr).strip().splitlines()[-6:]
    return f"$ {' '.join(command)}  (code {done.returncode})\n" + "\n".join(said)
