"""Finds Chromium, and isolates it: no document reaches a network, a file or an environment variable."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any, Final

from kernel.errors import Unavailable
from kernel.settings import select_environment

if TYPE_CHECKING:
    from playwright.async_api import Playwright

# The headless shell first: it starts three times as fast and holds half the memory.
CHROMIUM_NAMES: Final = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
# Nobody listens on the port of the discard service: a request that nothing else has stopped fails here.
UNREACHABLE_PROXY: Final = "http://127.0.0.1:9"
CHROMIUM_ARGUMENTS: Final = (
    # Glyphs have the same positions on every machine.
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
# The only environment variables that Chromium inherits. Others hold keys and passwords, which would be in the memory
# of every process that reads documents.
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
#: The options of every browser context.
CONTEXT_OPTIONS: Final[dict[str, Any]] = {
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


def explain_no_sandbox(*, is_required: bool) -> str | None:
    """Return why Chromium runs without its own sandbox; None when it uses it, or does not run at all."""
    if not is_required:
        return "PORTAL_CHROMIUM_SANDBOX is false"
    return "it runs as root, and Chromium has no sandbox for root" if os.geteuid() == 0 else None


def build_launch_options(executable: str, *, sandbox: bool = True) -> dict[str, Any]:
    """Return the options of Playwright's launch; `sandbox`: whether Chromium's own is required."""
    return {
        "executable_path": executable,
        "args": list(CHROMIUM_ARGUMENTS),
        "env": select_environment(_ENVIRONMENT),
        "proxy": {"server": UNREACHABLE_PROXY},
        "chromium_sandbox": explain_no_sandbox(is_required=sandbox) is None,
        # The worker handles signals; a browser that ends by itself would fail the jobs being drained.
        "handle_sigint": False,
        "handle_sigterm": False,
        "handle_sighup": False,
        "timeout": 20_000,
    }


def find_chromium(playwright: Playwright, name_or_path: str | None = None) -> str:
    """Return the path of the named Chromium, else one on PATH, else Playwright's; Unavailable("pdf.no_chromium")."""
    names = (name_or_path,) if name_or_path else CHROMIUM_NAMES
    for name in names:
        if path := shutil.which(name):
            return path
    bundled = playwright.chromium.executable_path
    if not name_or_path and os.path.exists(bundled):  # noqa: PTH110  -- Playwright returns the path as text
        return bundled
    message = f"There is no Chromium: none of {', '.join(names)} is on PATH."
    raise Unavailable("pdf.no_chromium", message)
