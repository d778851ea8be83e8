"""How Chromium is started so that no document reaches a network or a file, and which Chromium that is."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any, Final

from kernel.errors import Unavailable
from kernel.settings import inherited

if TYPE_CHECKING:
    from playwright.async_api import Playwright

# The headless shell first: it starts three times as fast and holds half the memory.
NAMES: Final = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
# Nobody listens on the port of the discard service; requests that get past everything else end here.
DEAD_PROXY: Final = "http://127.0.0.1:9"
ARGUMENTS: Final = (
    # Glyphs stand where the layout put them, on every machine alike.
    "--font-render-hinting=none",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    # No name is ever resolved, and no address is an exception to the proxy, loopback included.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-bypass-list=<-loopback>",
    "--dns-prefetch-disable",
    "--no-pings",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-client-side-phishing-detection",
    "--disable-default-apps",
    "--disable-extensions",
    "--no-first-run",
    "--no-default-browser-check",
)
# All that Chromium is told of the environment. The rest is keys and passwords, and would lie in the memory of every
# process that reads documents.
_ENVIRONMENT: Final = (
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "FONTCONFIG_FILE",
    "FONTCONFIG_PATH",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
)
#: What every context is opened with.
CONTEXT: Final[dict[str, Any]] = {
    "java_script_enabled": False,
    "offline": True,
    "service_workers": "block",
    "accept_downloads": False,
    "permissions": [],
    "reduced_motion": "reduce",
    "color_scheme": "light",
    "forced_colors": "none",
    "device_scale_factor": 1,
    "locale": "en-US",
    "timezone_id": "UTC",
}


def why_no_sandbox(*, wanted: bool) -> str | None:
    """Return why Chromium prints without its own sandbox; None when it prints inside it, or not at all."""
    if not wanted:
        return "PORTAL_CHROMIUM_SANDBOX is false"
    return "it runs as root, for whom Chromium has none" if os.geteuid() == 0 else None


def launch_options(executable: str, *, sandbox: bool = True) -> dict[str, Any]:
    """Return the options of Playwright's launch; `sandbox`: whether Chromium's own is wanted."""
    return {
        "executable_path": executable,
        "args": list(ARGUMENTS),
        "env": inherited(_ENVIRONMENT),
        "proxy": {"server": DEAD_PROXY},
        "chromium_sandbox": why_no_sandbox(wanted=sandbox) is None,
        # Signals are the worker's business; a browser that stops by itself would fail the jobs being drained.
        "handle_sigint": False,
        "handle_sigterm": False,
        "handle_sighup": False,
        "timeout": 20_000,
    }


def find_chromium(playwright: Playwright, wanted: str | None = None) -> str:
    """Return the Chromium asked for, else one on PATH, else Playwright's own; Unavailable("press.no_chromium")."""
    for name in (wanted,) if wanted else NAMES:
        if path := shutil.which(name):
            return path
    own = playwright.chromium.executable_path
    if not wanted and os.path.exists(own):  # noqa: PTH110  -- a path of Playwright's, only asked for
        return own
    message = f"There is no Chromium: none of {', '.join((wanted,) if wanted else NAMES)} is on PATH."
    raise Unavailable("press.no_chromium", message)
