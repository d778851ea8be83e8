"""Fetches logos that are named by URL."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from kernel.errors import Invalid
from kernel.fetching import Bounds, Fetcher
from kernel.telemetry.logs import logger
from tenants.workspaces import actions
from tenants.workspaces.logo import LARGEST_UPLOAD, reencode
from workers.actors.attempt import Hopeless

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tenants.workspaces.jobs import FetchLogo
    from workers.actors.attempt import Attempt

_log: Final = logger("workers.logos")


def guarded() -> Fetcher:
    """Return a fetcher for pictures from the public internet."""
    return Fetcher(Bounds(most_bytes=LARGEST_UPLOAD))


def fetch_logo(fetcher: Fetcher) -> Callable[[FetchLogo, Attempt], Awaitable[None]]:
    """Return what does the job; what is refused once is refused for ever, and the job dead at once."""

    async def fetched(job: FetchLogo, attempt: Attempt) -> None:
        try:
            content = await fetcher.fetch(job.url)
            # Whatever the server called it: only what can be drawn anew is a picture.
            image = await asyncio.to_thread(reencode, content)
        except Invalid as error:
            raise Hopeless(str(error)) from error
        async with attempt.effect():
            kept = await actions.keep_fetched_logo(image, attempt.job_id, clock=attempt.clock)
        _log.info("logo", sha256=image.sha256, width=image.width, height=image.height, shown=kept is not None)

    return fetched
