"""Prints documents: slots for a few at a time, a page kept for its workspace, deadlines, one retry, recycling."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import structlog

from kernel.errors import Invalid, Unavailable
from workers.press.browser import Supervisor
from workers.press.processes import resident_bytes
from workers.press.slot import Broken, Error, Slot

if TYPE_CHECKING:
    from kernel.ids import WorkspaceId
    from kernel.telemetry.metrics import Metrics
    from workers.press.browser import Generation

_LOG: Final = structlog.get_logger()
_MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """When pages and browsers are replaced, and what is too much.

    `slots` documents print at once (None: two for each processor); `page_renders` on one page;
    `browser_renders`, `browser_s` (seconds), `browser_bytes` (memory) and `failures` (in a row) on one browser.
    """

    slots: int | None = None
    page_renders: int = 200
    browser_renders: int = 5_000
    browser_s: float = 6 * 3600.0
    browser_bytes: int = 1536 * _MEBIBYTE
    weigh_every: int = 100
    failures: int = 3
    html_bytes: int = 48 * _MEBIBYTE

    @property
    def width(self) -> int:
        """How many documents print at once."""
        return self.slots or 2 * (os.cpu_count() or 1)


class Press:
    """One warm Chromium. Open it with `start`, print with `print`, end it with `close`."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        executable: str | None = None,
        limits: Limits | None = None,
        sample: str = "<!DOCTYPE html><title>-</title><p>-",
        sandbox: bool = True,
    ) -> None:
        """Take a Chromium by name or path (None: the one there is); `sandbox`: whether it must have its own.

        `sample`: a document that spares are warmed with; one like those to come, but nobody's.
        """
        self._limits = limits or Limits()
        self._metrics = metrics
        self._supervisor = Supervisor(
            executable, lambda why: metrics.press_launches.labels(why).inc(), sandbox=sandbox
        )
        self._room = asyncio.Semaphore(self._limits.width)
        self._idle: list[Slot] = []
        self._spare: Slot | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._warming = False
        self._sample = sample
        self._waiting = 0

    @property
    def version(self) -> str:
        """Chromium's version; empty before the first launch."""
        return self._supervisor.version

    async def start(self) -> None:
        """Launch the browser and print a canary; Unavailable when either fails."""
        await self._supervisor.generation()
        await self.print("<!DOCTYPE html><title>Canary</title><p>Canary", owner=None, within_s=20)
        await self.warm()

    async def warm(self) -> None:
        """Have a fresh context ready, opened and printed with once; what fails here fails again where it matters."""
        if self._spare is not None or self._warming:
            return
        self._warming = True
        slot: Slot | None = None
        try:
            async with asyncio.timeout(20):
                slot = await self._opened()
                await slot.warm(self._sample)
            # Its browser may have been replaced meanwhile, and would wait for it for ever.
            if slot.is_usable:
                self._spare, slot = slot, None
        except (Error, Broken, Unavailable, TimeoutError, OSError) as error:
            _LOG.info("press.no_spare", error=str(error)[:200])
        finally:
            self._warming = False
            if slot is not None:
                self._drop(slot, "spare")

    async def print(self, html: str, *, owner: WorkspaceId | None, within_s: float) -> bytes:
        """Return the document as a PDF, straight from Chromium.

        Pages are reused for the same `owner` only; with None the context is used once. Unavailable:
        "press.deadline" after `within_s` seconds, waiting included; "press.unavailable" when Chromium died twice or
        cannot be started. Invalid("press.too_large").
        """
        if len(html) > self._limits.html_bytes:
            raise Invalid("press.too_large", "The document is too large to be printed.", size=len(html))
        began = perf_counter()
        try:
            async with asyncio.timeout(within_s):
                self._waiting += 1
                try:
                    await self._room.acquire()
                finally:
                    self._waiting -= 1
                self._metrics.press_slots_in_use.inc()
                try:
                    printed = await self._tried(html, owner)
                finally:
                    self._metrics.press_slots_in_use.dec()
                    self._room.release()
        except TimeoutError:
            self._metrics.press_failures.labels("deadline").inc()
            message = "The document was not printed in time."
            raise Unavailable("press.deadline", message, within_s=within_s) from None
        self._metrics.press_render_seconds.observe(perf_counter() - began)
        return printed

    async def close(self) -> None:
        """End the browser; what is still printing fails."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._supervisor.close()

    def kill(self) -> None:
        """End the browser at once, for a worker that has no time to close."""
        self._supervisor.kill()

    async def generation(self) -> Generation:
        """Return the running browser, for those who watch it."""
        return await self._supervisor.generation()

    async def _tried(self, html: str, owner: WorkspaceId | None) -> bytes:
        for is_last in (False, True):
            try:
                return await self._once(html, owner)
            except (Error, Broken, OSError) as error:
                self._metrics.press_failures.labels("crash").inc()
                _LOG.warning("press.print_failed", error=str(error)[:200], again=not is_last)
                if is_last:
                    message = "The document could not be printed."
                    raise Unavailable("press.unavailable", message) from error
        raise AssertionError

    async def _once(self, html: str, owner: WorkspaceId | None) -> bytes:
        slot = await self._taken(owner)
        generation = slot.generation
        try:
            printed = await slot.print(html)
        except BaseException as error:
            generation.failures += 1
            self._drop(slot, type(error).__name__)
            await self._suspect(generation, error)
            raise
        generation.failures = 0
        self._keep(slot)
        self._look_after(generation)
        return printed

    async def _taken(self, owner: WorkspaceId | None) -> Slot:
        """Return the page kept for this owner, else the spare, else a new one."""
        self._sweep()
        kept = next((slot for slot in self._idle if owner is not None and slot.owner == owner), None)
        if kept is not None:
            self._idle.remove(kept)
            return kept
        spare, self._spare = self._spare, None
        slot = spare or await self._opened()
        slot.owner = owner
        return slot

    async def _opened(self) -> Slot:
        generation = await self._supervisor.generation()
        generation.users += 1
        try:
            return await Slot.open(generation)
        except BaseException as error:
            generation.users -= 1
            await self._suspect(generation, error)
            raise

    async def _suspect(self, generation: Generation, error: BaseException) -> None:
        """End a browser that gives no sign of life after an error, replace one that fails again and again."""
        if generation.failures >= self._limits.failures:
            self._do(self._replaced(generation, "failures"))
            return
        if isinstance(error, asyncio.CancelledError):
            # A deadline is not to be missed by much.
            self._do(self._examined(generation))
        else:
            await self._examined(generation)

    async def _examined(self, generation: Generation) -> None:
        if not await self._supervisor.is_alive(generation):
            self._supervisor.end(generation, "died")

    def _keep(self, slot: Slot) -> None:
        """Put a page back for its owner; the one that waited longest makes room."""
        if slot.owner is None or slot.renders >= self._limits.page_renders or not slot.is_usable:
            self._drop(slot, "used")
        else:
            self._idle.append(slot)
            if len(self._idle) > self._limits.width:
                self._drop(self._idle.pop(0), "evicted")
        # A spare is for who comes next while nobody waits; who waits already is better served by the processor.
        if self._spare is None and not self._waiting:
            self._do(self.warm())

    def _drop(self, slot: Slot, why: str) -> None:
        self._do(self._dropped(slot, why))

    async def _dropped(self, slot: Slot, why: str) -> None:
        generation = slot.generation
        closed = await slot.close()
        generation.users -= 1
        if not closed:
            _LOG.warning("press.context_stuck", generation=generation.number, why=why)
            self._supervisor.end(generation, "stuck")
        elif generation.is_condemned and generation.users == 0:
            self._supervisor.end(generation, "drained")

    def _look_after(self, generation: Generation) -> None:
        limits = self._limits
        age = asyncio.get_running_loop().time() - generation.started_s
        if generation.renders >= limits.browser_renders:
            self._do(self._replaced(generation, "renders"))
        elif age >= limits.browser_s:
            self._do(self._replaced(generation, "age"))
        elif generation.renders % limits.weigh_every == 0:
            self._do(self._weighed(generation))

    async def _weighed(self, generation: Generation) -> None:
        with contextlib.suppress(Error, OSError):
            held = resident_bytes(await generation.count_processes())
            self._metrics.press_memory_bytes.set(held)
            if held > self._limits.browser_bytes:
                await self._replaced(generation, "memory")

    async def _replaced(self, generation: Generation, why: str) -> None:
        await self._supervisor.replace(generation, why)
        self._sweep()

    def _sweep(self) -> None:
        """Give up pages whose browser is dead or on its way out."""
        for slot in [slot for slot in self._idle if not slot.is_usable]:
            self._idle.remove(slot)
            self._drop(slot, "stale")
        if self._spare is not None and not self._spare.is_usable:
            self._drop(self._spare, "stale")
            self._spare = None

    def _do(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
