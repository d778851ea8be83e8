"""Fetches logos from their URLs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from kernel.errors import Invalid
from kernel.fetching import Fetcher, FetchLimits
from kernel.telemetry.logs import get_logger
from tenants.workspaces import actions
from tenants.workspaces.logo import MAX_UPLOAD_BYTES, reencode
from workers.actors.attempt import PermanentFailure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tenants.workspaces.jobs import FetchLogo
    from workers.actors.attempt import Attempt

_log: Final = get_logger("workers.logos")


def create_fetcher() -> Fetcher:
    """Return a fetcher for images on the public internet."""
    return Fetcher(FetchLimits(max_bytes=MAX_UPLOAD_BYTES))


def create_logo_handler(fetcher: Fetcher) -> Callable[[FetchLogo, Attempt], Awaitable[None]]:
    """Return the job's function; an image or URL that is refused is a permanent failure."""

    async def fetch_logo(job: FetchLogo, attempt: Attempt) -> None:
        try:
            content = await fetcher.fetch(job.url)
            # The server's content type is not trusted: only what can be encoded again is an image.
            image = await asyncio.to_thread(reencode, content)
        except Invalid as error:
            raise PermanentFailure(str(error)) from error
        async with attempt.effect():
            stored = await actions.set_fetched_logo(image, attempt.job_id, clock=attempt.clock)
        _log.info(
            "logo fetched",
            sha256=image.sha256,
            width=image.width,
            height=image.height,
            shown=stored is not None,
        )

    return fetch_logo
