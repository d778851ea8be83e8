"""A program that renders a probe as an unprivileged user, and reports how its renderer process is sandboxed."""

from __future__ import annotations

import asyncio
import ctypes
import encodings.idna  # noqa: F401  -- an ordinary user may not be able to read modules that come later
import json
import os
import sys
from pathlib import Path

import playwright.async_api  # noqa: F401

from kernel.errors import Unavailable
from kernel.telemetry.metrics import Metrics
from workers.pdf.renderer import Renderer

NOBODY = 65534
CLONE_NEWUSER = 0x10000000


def forbid_namespaces() -> None:
    """Enter a user namespace that maps all users and forbids further namespaces."""
    ready, go = os.pipe(), os.pipe()
    parent = os.getpid()
    if (child := os.fork()) == 0:
        os.read(ready[0], 1)
        for kind in "ug":
            Path(f"/proc/{parent}/{kind}id_map").write_text("0 0 65536", encoding="ascii")
        os.write(go[1], b"1")
        os._exit(0)
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) != 0:
        os.write(ready[1], b"1")
        os.waitpid(child, 0)
        sys.exit(77)
    os.write(ready[1], b"1")
    os.read(go[0], 1)
    os.waitpid(child, 0)
    Path("/proc/sys/user/max_user_namespaces").write_text("0", encoding="ascii")


def become_nobody(home: str) -> None:
    """Change from root to an unprivileged user; another user stays the same."""
    if os.geteuid() == 0:
        os.chown(home, NOBODY, NOBODY)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    os.environ["HOME"] = home


def read_sandbox(pid: int) -> dict[str, object]:
    """Return the mode of a process's system call filter, and whether it has a user namespace of its own."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    seccomp = next(line.split()[1] for line in status.splitlines() if line.startswith("Seccomp:"))
    own, its = (Path(f"/proc/{each}/ns/user").readlink() for each in ("self", pid))
    return {"seccomp": seccomp, "namespace": its != own}


async def render_probe(*, sandbox: bool) -> dict[str, object]:
    """Render, and inspect the renderer process."""
    renderer = Renderer(Metrics(), sandbox=sandbox)
    try:
        await renderer.start()
        browser = await renderer.get_browser()
        report = await browser.cdp.send("SystemInfo.getProcessInfo")
        pid = next(int(each["id"]) for each in report["processInfo"] if each["type"] == "renderer")
        return {"user": os.geteuid()} | read_sandbox(pid)
    except Unavailable as error:
        return {"user": os.geteuid(), "error": str(error)}
    finally:
        await renderer.close()


if __name__ == "__main__":
    if "forbidden" in sys.argv:
        forbid_namespaces()
    become_nobody(sys.argv[1])
    sys.stdout.write(json.dumps(asyncio.run(render_probe(sandbox="without" not in sys.argv))))
