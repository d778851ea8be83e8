"""One chaos run: readers follow threads over both transports while all around them breaks; then logs are compared."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from random import Random

import asyncpg

from kernel.errors import PortalError
from kernel.ids import new_id, new_nonce
from kernel.live import Audience, append
from kernel.store import Database
from kernel.wakeup import Publisher
from ops.bench.chaos_faults import Disturbances, LossyPublisher
from ops.bench.chaos_thread import ChaosThread, change_all_epochs
from ops.bench.live_client import Reader
from ops.bench.live_comparison import Faults
from ops.bench.live_installation import (
    LiveInstallation,
    Workspace,
    count_wakes,
    create_workspace_with_threads,
)
from ops.bench.live_writers import KIND, CommentPoster, write_events
from ops.command_context import identify_operator

THREADS = 2
#: Of each thread.
UNITS_PER_SECOND = 6.0
COMMENT_EVERY_S = 1.5
WRITERS = 4
#: How long readers may take to read everything after the last fault.
SETTLE_S = 45.0
#: Writes, a tenth of a second apart, of which each process must hear at least one.
_DEAF_AFTER = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has shown.

    `late` are readers that had not read everything in time after the last fault, or after an event whose wake-up was
    lost while nothing else happened.
    """

    faults: Faults
    faults_without_gate: Faults
    late: tuple[str, ...]
    deaf: tuple[str, ...]
    """Processes that no wake-up reaches any more."""
    settled_after_s: float
    strikes: Counter[str]
    """How often something was broken, by kind."""
    counts: Counter[str]
    """What was written, and what the readers saw of it."""


async def run_chaos(
    installation: LiveInstallation, *, seed: int, seconds: float, threads: int = THREADS
) -> Outcome:
    """Run for so many seconds and the time that the readers need to the end; each thread has seven readers."""
    strikes: Counter[str] = Counter()
    publisher = Publisher(installation.redis_url)
    lossy = LossyPublisher(publisher.publish, Random(seed), strikes)
    database = await Database.open(
        installation.urls.app, size=WRITERS, name="chaos", actor=identify_operator(), publish=lossy.publish
    )
    try:
        slug = f"chaos-{new_id().hex[:12]}"
        workspace = await create_workspace_with_threads(database, installation, slug, threads)
        run = ChaosRun(installation, database, lossy, workspace, seed=seed, seconds=seconds, strikes=strikes)
        return await run.run()
    finally:
        await lossy.close()
        await database.close()
        await publisher.close()


class ChaosRun:
    """The readers, writers and faults of one seed."""

    def __init__(
        self,
        installation: LiveInstallation,
        database: Database,
        publisher: LossyPublisher,
        workspace: Workspace,
        *,
        seed: int,
        seconds: float,
        strikes: Counter[str],
    ) -> None:
        """Begin when `run` is called."""
        self._installation = installation
        self._database = database
        self._publisher = publisher
        self._seed = seed
        self._seconds = seconds
        self._random = Random(seed)
        self._strikes = strikes
        self._counts: Counter[str] = Counter()
        self._threads = [
            ChaosThread(workspace.workspace_id, address, installation.admin_url)
            for address in workspace.threads
        ]
        # Whoever changes an epoch takes all of them: nobody writes while a database is restored.
        self._writing = asyncio.Semaphore(WRITERS)

    @property
    def _readers(self) -> list[Reader]:
        return [reader for thread in self._threads for reader in thread.readers.values()]

    async def run(self) -> Outcome:
        """Write and strike, let the readers catch up, and compare."""
        for thread in self._threads:
            await thread.create_readers(self._installation.hub_ports, self._installation.sealer, self._random)
        disturbances = Disturbances(
            self._installation,
            self._readers,
            self._change_epoch,
            seed=self._seed,
            seconds=self._seconds,
            strikes=self._strikes,
        )
        reading = [asyncio.create_task(reader.run()) for reader in self._readers]
        writing = [asyncio.create_task(self._write(thread)) for thread in self._threads]
        writing.append(asyncio.create_task(self._post_comments(self._threads[0])))
        try:
            await disturbances.run()
            await _end(writing)
            await self._installation.repair()
            late, settled_after_s = await self._settle()
            deaf = await self._find_deaf()
            late += await self._lose_last_wake()
        finally:
            await _end([*writing, *reading])
        return await self._compare(late, deaf, settled_after_s)

    async def _write(self, thread: ChaosThread) -> None:
        random = Random(self._random.random())
        while True:
            await asyncio.sleep(random.expovariate(UNITS_PER_SECOND))
            async with self._writing:
                await write_events(
                    self._database, thread.workspace_id, thread.address.invoice_id, random, self._counts
                )

    async def _post_comments(self, thread: ChaosThread) -> None:
        poster = CommentPoster(thread.address)
        while True:
            await asyncio.sleep(COMMENT_EVERY_S)
            async with self._writing:
                try:
                    answer = await poster.post("A comment from a browser.")
                    self._counts[f"comment {answer.status}"] += 1
                except (OSError, TimeoutError):
                    self._counts["comment unanswered"] += 1

    async def _change_epoch(self, *, rewinds: bool) -> None:
        """Begin epochs while nobody writes; without Postgres it does not happen."""
        for _ in range(WRITERS):
            await self._writing.acquire()
        try:
            if rewinds:
                await self._random.choice(self._threads).rewind()
            else:
                await change_all_epochs(self._database, self._threads)
            self._strikes["database rewound" if rewinds else "epoch changed"] += 1
        except (OSError, PortalError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._counts["epoch not changed"] += 1
        finally:
            for _ in range(WRITERS):
                self._writing.release()

    async def _settle(self) -> tuple[list[str], float]:
        """Wait until all readers have read everything; return those that have not, and the seconds that it took.

        Waits as well until those without the gate are served twice, so that what comes next is too much for them.
        """
        for reader in self._readers:
            reader.is_steady = True
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        without_gate = [each for each in self._readers if not each.is_gated]
        while True:
            late = [each for thread in self._threads for each in await thread.list_late()]
            is_settled = not late and all(each.is_served_twice for each in without_gate)
            if is_settled or loop.time() - started_at > SETTLE_S:
                return late, loop.time() - started_at
            await asyncio.sleep(0.1)

    async def _find_deaf(self) -> list[str]:
        """Write until each process has heard of it through Redis; return those that do not in time."""
        self._publisher.loses_none = True
        processes = (self._installation.gateway, *self._installation.hubs)
        before = [await count_wakes(each) for each in processes]
        deaf: list[str] = []
        for _ in range(_DEAF_AFTER):
            await self._write_everywhere()
            await asyncio.sleep(0.1)
            deaf = [
                each.program.name
                for each, number in zip(processes, before, strict=True)
                if await count_wakes(each) <= number
            ]
            if not deaf:
                break
        return deaf

    async def _lose_last_wake(self) -> list[str]:
        """Write without waking anybody while nothing else happens; return who does not notice."""
        await self._settle()
        self._publisher.loses_all = True
        await self._write_everywhere()
        late, _ = await self._settle()
        return [f"after a lost wake-up: {each}" for each in late]

    async def _write_everywhere(self) -> None:
        for thread in self._threads:
            for audience in Audience:
                async with self._database.scope(thread.workspace_id):
                    await append(thread.address.invoice_id, audience, KIND, {}, client_id=new_nonce())

    async def _compare(self, late: list[str], deaf: list[str], settled_after_s: float) -> Outcome:
        faults, without_gate = Faults(), Faults()
        for thread in self._threads:
            with_gate, naive = await thread.compare()
            faults += with_gate
            without_gate += naive
        for reader in self._readers:
            self._counts.update(reader.counts)
            self._counts["event applied"] += sum(len(record.events) for record in reader.records)
        return Outcome(
            faults, without_gate, tuple(late), tuple(deaf), settled_after_s, self._strikes, self._counts
        )


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks; raise the first error of one that has ended by itself."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
