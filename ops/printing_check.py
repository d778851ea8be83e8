"""Examines what PDFs need: a Chromium that prints, complete fonts, a store that keeps bytes, room on the disk."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from kernel.blobs import Blobs
from kernel.errors import PortalError, Unavailable
from kernel.ids import new_id
from kernel.settings import Profile, Settings
from kernel.telemetry.metrics import Metrics
from ops.finding import Finding, Tell
from tenants.invoices.document.fonts import FOLDER, Fonts

PATIENCE_S: Final = 60.0
LEAST_FREE: Final = 1024**3
_MEBIBYTE: Final = 1024**2
_APT: Final = "on Debian and Ubuntu `apt install chromium-headless-shell`"


async def chromium(settings: Settings, tell: Tell) -> AsyncIterator[Finding]:
    """Render a probe as a worker would, and report Chromium's sandbox."""
    try:
        # Whoever only serves pages has installed neither.
        from workers.pdf.renderer import Renderer  # noqa: PLC0415
        from workers.pdf.sandbox import explain_no_sandbox  # noqa: PLC0415
    except ImportError:
        tell("Nothing prints here: the extra 'worker' is not installed.")
        return
    renderer = Renderer(Metrics(), executable=settings.chromium, sandbox=settings.chromium_sandbox)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await renderer.start()
    except TimeoutError:
        yield Finding(
            f"Chromium did not print within {PATIENCE_S:.0f} s.", "See what keeps this machine busy."
        )
        return
    except Unavailable as error:
        yield Finding(_sentence(error), _cure(error))
        return
    finally:
        await renderer.close()
    why = explain_no_sandbox(is_wanted=settings.chromium_sandbox)
    where = f"without its own sandbox: {why}" if why else "in its own sandbox"
    tell(f"Chromium {renderer.version} prints, {where}.")
    if why and settings.profile is Profile.PRODUCTION:
        cure = (
            "Run workers as an ordinary user where user namespaces are allowed; see ops/runbooks/install.md."
        )
        yield Finding(f"Chromium prints without its own sandbox: {why}.", cure)


async def fonts(tell: Tell, folder: Path = FOLDER) -> AsyncIterator[Finding]:
    """Whether every face that goes into PDFs is there."""
    cure = "Run ops/demo or ops/test once, or `npm ci && npx vite build --outDir ../static` in web/assets."
    try:
        loaded = await asyncio.to_thread(Fonts.load, folder)
    except Unavailable:
        yield Finding("The fonts of the PDFs have not been built.", cure)
    except OSError as error:
        yield Finding(f"A font of the PDFs is missing: {error.filename}.", cure)
    else:
        tell(f"The fonts of the PDFs are complete: {', '.join(loaded.families)}.")


async def blobs(settings: Settings, tell: Tell, *, least_free: int = LEAST_FREE) -> AsyncIterator[Finding]:
    """Write, read and remove a blob; a folder must have at least `least_free` bytes of room."""
    where = settings.blobs_url
    folder = (
        None if "://" in where and not where.startswith("file://") else Path(where.removeprefix("file://"))
    )
    if folder is not None and not folder.is_absolute() and settings.profile is Profile.PRODUCTION:
        what = f"PORTAL_BLOBS_URL is {where}, a different folder for processes that start elsewhere."
        yield Finding(what, "Write the whole path, or name a store such as s3://bucket/prefix.")
    key, data = f"probe/{new_id()}", bytes(1024)
    try:
        store = Blobs.open(where)
        await store.put(key, data)
        read = await store.get(key)
        await store.delete(key)
    except PortalError as error:
        reason = str(error.__cause__ or error.message).splitlines()[0].rstrip(".")
        cure = "Check PORTAL_BLOBS_URL, who may write there, and for s3:// the AWS_ variables; PDFs cannot be kept."
        yield Finding(f"Blobs cannot be written, read and removed at {where}: {reason}.", cure)
        return
    if read != data:
        yield Finding(f"What is written at {where} is read differently.", "Do not serve; look at the store.")
        return
    tell(f"Blobs can be written, read and removed at {where}.")
    if folder is not None and (free := await asyncio.to_thread(_free, folder)) < least_free:
        what = f"Only {free // _MEBIBYTE} MiB are free where PDFs are kept ({folder})."
        yield Finding(what, "Make room, or move the folder: on a full disk no PDF can be kept.")


def _free(folder: Path) -> int:
    with suppress(OSError):
        return shutil.disk_usage(folder).free
    return 0


def _sentence(error: Unavailable) -> str:
    if error.code == "pdf.no_chromium":
        return error.message
    return f"Chromium does not print: {error.message}"


def _cure(error: Unavailable) -> str:
    if error.code == "pdf.no_chromium":
        return f"Install one ({_APT}), or name one with PORTAL_CHROMIUM; pages work without, PDFs do not."
    if "sandbox" in error.message:
        return "Allow user namespaces for the worker's user; ops/runbooks/install.md says how and what else there is."
    return f"Run it by hand with --version: libraries may be missing ({_APT} brings them)."
