"""Examines what PDFs need: a Chromium that renders, all font files, a blob store, free disk space."""

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
from ops.doctor.finding import Finding, ReportPassed
from tenants.invoices.document.fonts import FOLDER, Fonts

START_TIMEOUT_S: Final = 60.0
MIN_FREE_BYTES: Final = 1024**3
_MEBIBYTE: Final = 1024**2
_APT: Final = "on Debian and Ubuntu `apt install chromium-headless-shell`"


async def examine_chromium(settings: Settings, report_passed: ReportPassed) -> AsyncIterator[Finding]:
    """Start Chromium and render a page as a worker does; report whether its sandbox is on."""
    try:
        # A machine that only serves pages has not installed them.
        from workers.pdf.renderer import Renderer  # noqa: PLC0415
        from workers.pdf.sandbox import explain_no_sandbox  # noqa: PLC0415
    except ImportError:
        report_passed("No PDFs are rendered here: the extra 'worker' is not installed.")
        return
    renderer = Renderer(Metrics(), executable=settings.chromium, sandbox=settings.chromium_sandbox)
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            await renderer.start()
    except TimeoutError:
        yield Finding(
            f"Chromium did not render within {START_TIMEOUT_S:.0f} s.",
            "See which processes use this machine's processors.",
        )
        return
    except Unavailable as error:
        yield Finding(_describe_error(error), _choose_remedy(error))
        return
    finally:
        await renderer.close()
    reason_without = explain_no_sandbox(is_required=settings.chromium_sandbox)
    where = f"without its own sandbox: {reason_without}" if reason_without else "in its own sandbox"
    report_passed(f"Chromium {renderer.version} renders, {where}.")
    if reason_without and settings.profile is Profile.PRODUCTION:
        remedy = (
            "Run workers as an ordinary user where user namespaces are allowed; see ops/runbooks/install.md."
        )
        yield Finding(f"Chromium renders without its own sandbox: {reason_without}.", remedy)


async def examine_fonts(report_passed: ReportPassed, folder: Path = FOLDER) -> AsyncIterator[Finding]:
    """Check that every font file of the PDFs exists."""
    remedy = "Run ops/demo or ops/test once, or `npm ci && npx vite build --outDir ../static` in web/assets."
    try:
        loaded = await asyncio.to_thread(Fonts.load, folder)
    except Unavailable:
        yield Finding("The fonts of the PDFs have not been built.", remedy)
    except OSError as error:
        yield Finding(f"A font of the PDFs is missing: {error.filename}.", remedy)
    else:
        report_passed(f"The fonts of the PDFs are complete: {', '.join(loaded.families)}.")


async def examine_blobs(
    settings: Settings, report_passed: ReportPassed, *, min_free_bytes: int = MIN_FREE_BYTES
) -> AsyncIterator[Finding]:
    """Write, read and delete a blob; a folder must have at least `min_free_bytes` free."""
    where = settings.blobs_url
    folder = (
        None if "://" in where and not where.startswith("file://") else Path(where.removeprefix("file://"))
    )
    if folder is not None and not folder.is_absolute() and settings.profile is Profile.PRODUCTION:
        problem = f"PORTAL_BLOBS_URL is {where}, a different folder for processes that start elsewhere."
        yield Finding(problem, "Write the whole path, or name a store such as s3://bucket/prefix.")
    key, data = f"probe/{new_id()}", bytes(1024)
    try:
        store = Blobs.open(where)
        await store.put(key, data)
        read = await store.get(key)
        await store.delete(key)
    except PortalError as error:
        reason = str(error.__cause__ or error.message).splitlines()[0].rstrip(".")
        remedy = "Check PORTAL_BLOBS_URL, who may write there, and for s3:// the AWS_ variables; PDFs cannot be stored."
        yield Finding(f"Blobs cannot be written, read and deleted at {where}: {reason}.", remedy)
        return
    if read != data:
        yield Finding(
            f"A blob read at {where} differs from what was written.",
            "Stop the gateways and workers, and check the store.",
        )
        return
    report_passed(f"Blobs can be written, read and deleted at {where}.")
    if folder is not None and (free := await asyncio.to_thread(_read_free_bytes, folder)) < min_free_bytes:
        problem = f"Only {free // _MEBIBYTE} MiB are free where PDFs are stored ({folder})."
        yield Finding(problem, "Free some space, or move the folder: on a full disk no PDF can be stored.")


def _read_free_bytes(folder: Path) -> int:
    with suppress(OSError):
        return shutil.disk_usage(folder).free
    return 0


def _describe_error(error: Unavailable) -> str:
    if error.code == "pdf.no_chromium":
        return error.message
    return f"Chromium does not render: {error.message}"


def _choose_remedy(error: Unavailable) -> str:
    if error.code == "pdf.no_chromium":
        return f"Install one ({_APT}), or name one with PORTAL_CHROMIUM; pages work without, PDFs do not."
    if "sandbox" in error.message:
        return "Allow user namespaces for the worker's user; ops/runbooks/install.md says how and what else there is."
    return f"Run it by hand with --version: libraries may be missing ({_APT} brings them)."
