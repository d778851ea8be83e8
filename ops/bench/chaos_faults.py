"""The faults of a chaos run: each kind strikes again and again, at times that a seed decides, until the run is over."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Protocol

from ops.bench.live_client import Reader
from ops.bench.live_installation import LiveInstallation
from ops.dev import programs

#: Longer than 12 s, after which listeners of some libraries have given up for good.
REDIS_OUTAGE_S = 12.5
#: How long hubs stand still: longer than the time in which a reader waits for a hello.
STANDSTILL_S = (0.5, 4.0)
AWAY_SHARE, AWAY_S = 0.2, (2.0, 15.0)
LOST_SHARE = DOUBLED_SHARE = 0.1
_DELAY_S = 0.3

Publish = Callable[[str, bytes], Awaitable[None]]


class ChangeEpoch(Protocol):
    """Changes the epoch of a thread; with `rewinds` the database is that of a moment ago."""

    async def __call__(self, *, rewinds: bool) -> None:
        """Return when the new epoch is committed."""
        ...


class LossyPublisher:
    """Publishes as a process does, but for a tenth that is lost and a tenth that comes twice, the second time late."""

    def __init__(self, publish: Publish, random: Random, strikes: Counter[str]) -> None:
        """Publish by `publish`."""
        self._publish = publish
        self._random = random
        self._strikes = strikes
        self._late: set[asyncio.Task[None]] = set()
        self.loses_all = self.loses_none = False

    async def publish(self, channel: str, message: bytes) -> None:
        """Publish once, twice or not at all."""
        chance = 0.5 if self.loses_none else self._random.random()
        if self.loses_all or chance < LOST_SHARE:
            self._strikes["publish lost"] += 1
            return
        await self._publish(channel, message)
        if chance > 1 - DOUBLED_SHARE:
            self._strikes["publish doubled"] += 1
            late = asyncio.create_task(self._publish_late(channel, message))
            self._late.add(late)
            late.add_done_callback(self._late.discard)

    async def _publish_late(self, channel: str, message: bytes) -> None:
        await asyncio.sleep(self._random.uniform(0, _DELAY_S))
        await self._publish(channel, message)

    async def close(self) -> None:
        """Wait for what is still to come."""
        await asyncio.gather(*self._late)


class Disturbances:
    """Strikes an installation and its readers for so many seconds; `strikes` counts by kind."""

    def __init__(
        self,
        installation: LiveInstallation,
        readers: Sequence[Reader],
        change_epoch: ChangeEpoch,
        *,
        seed: int,
        seconds: float,
        strikes: Counter[str],
    ) -> None:
        """Begin when `run` is called."""
        self._installation = installation
        self._readers = readers
        self._change_epoch = change_epoch
        self._seed = seed
        self._seconds = seconds
        self._strikes = strikes
        self._ends_at = 0.0

    async def run(self) -> None:
        """Strike until the time is over; what is away or stands still then is back."""
        self._ends_at = asyncio.get_running_loop().time() + self._seconds
        kinds = (
            self._disturb_hubs,
            self._stop_redis,
            self._restart_postgres,
            self._change_epochs,
            self._cut_readers_off,
        )
        async with asyncio.TaskGroup() as group:
            for index, kind in enumerate(kinds):
                group.create_task(kind(Random(self._seed * len(kinds) + index)))

    async def _is_over_after(self, seconds: float) -> bool:
        """Wait for so long, or until the end of the run, and tell whether it has come."""
        left = self._ends_at - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, min(left, seconds)))
        return seconds >= left

    async def _disturb_hubs(self, random: Random) -> None:
        """Kill a hub or let one stand still, in turn, so that a short run has both; then some end as on an update."""
        strikes = 0
        while not await self._is_over_after(random.uniform(1, 4)):
            index = random.randrange(len(self._installation.hubs))
            strikes += 1
            if strikes % 2:
                self._strikes["hub killed"] += 1
                self._installation.kill_hub(index)
                await self._is_over_after(random.uniform(0.2, 1))
                await self._installation.revive_hub(index)
            else:
                self._strikes["hub stopped"] += 1
                hub = self._installation.hubs[index]
                hub.process.send_signal(signal.SIGSTOP)
                await self._is_over_after(random.uniform(*STANDSTILL_S))
                hub.process.send_signal(signal.SIGCONT)
                if random.random() < 0.5:
                    self._strikes["hub drained"] += 1
                    await asyncio.to_thread(programs.stop, hub)
                    await self._installation.revive_hub(index)

    async def _stop_redis(self, random: Random) -> None:
        while not await self._is_over_after(random.uniform(1, 4)):
            if self._ends_at - asyncio.get_running_loop().time() < REDIS_OUTAGE_S + 1:
                return
            self._strikes["redis stopped"] += 1
            self._installation.stop_redis()
            await asyncio.sleep(REDIS_OUTAGE_S + random.uniform(0, 1.5))
            self._installation.start_redis()
            await self._is_over_after(random.uniform(6, 14))

    async def _restart_postgres(self, random: Random) -> None:
        while not await self._is_over_after(random.uniform(4, 14)):
            self._strikes["postgres restarted"] += 1
            await self._installation.stop_postgres()
            await asyncio.sleep(random.uniform(0, 1.5))
            await self._installation.start_postgres()

    async def _change_epochs(self, random: Random) -> None:
        """Change epochs by the command's action, and by a database that was restored, in turn."""
        strikes = 0
        while not await self._is_over_after(random.uniform(2, 7)):
            strikes += 1
            await self._change_epoch(rewinds=strikes % 2 == 0)

    async def _cut_readers_off(self, random: Random) -> None:
        while not await self._is_over_after(random.uniform(0.3, 1.5)):
            self._strikes["reader cut off"] += 1
            # Some come back when the hub no longer has in memory what they have missed.
            away_s = random.uniform(*AWAY_S) if random.random() < AWAY_SHARE else 0.0
            random.choice(self._readers).cut_off(away_s)
