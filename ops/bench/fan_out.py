"""Fan-out of the hub and of its references: processor time for each frame, and the time from a post to its readers."""

from __future__ import annotations

import asyncio
import itertools
import statistics
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from redis.asyncio import Redis

from ops.bench.live_installation import read_metric
from ops.bench.live_stage import Stage, Stream, bind_to_processor, say
from ops.bench.live_writers import CommentPoster
from ops.bench.reference_sockets import C_LOOP, CHANNEL, SERVERS, find_compiler
from ops.bench.resource_usage import read_thread_seconds
from ops.bench.socket_readers import SocketReaders, SocketRequest
from ops.dev import programs
from ops.ports import find_free_port

READERS = 1000
_WARM_UP = 5
#: In which a server sends an event to all its readers.
_PAUSE_S = 0.03
THREADS = 1000
#: A payload with which the buffers of a reader that does not read are full within a round.
_LARGE = 6000
_STUCK_READERS = 100
_STUCK_BUFFER = 4096
_START_S = 20.0
_SHEDS = "portal_hub_sheds_total"
# An event of a comment as the hub sends it.
_FRAME = (
    b'{"type":"event","seq":100,"kind":"comment.posted","payload":{"comment_id":'
    b'"8b3f3c1a-5b1c-4a6e-9a53-0d2f5c8f4a11"},"client_id":"3q2-7wAAAAAAAAAAAAAAAA"}'
)

Post = Callable[[], Awaitable[float]]


@dataclass(slots=True)
class Subject:
    """A server with its readers; `post` sends one event to all of them and returns when it began."""

    name: str
    pid: int
    readers: SocketReaders
    post: Post
    frames_per_second: list[float] = field(default_factory=list)
    """Frames for each second of the server's processor time, by round."""
    latencies: list[list[float]] = field(default_factory=list)
    """Seconds from the post to each reader, by round, sorted."""

    async def measure_rate(self, events: int) -> None:
        """Send events one after the other, each when all readers have the one before.

        The readers sleep meanwhile: a send that wakes a waiting process costs more, and how many do depends on chance.
        """
        used = read_thread_seconds(self.pid)
        for _ in range(events):
            await self.post()
            await asyncio.sleep(_PAUSE_S)
            self.readers.read(len(self.readers))
        used = read_thread_seconds(self.pid) - used
        self.frames_per_second.append(events * len(self.readers) / used)

    async def measure_latency(self, events: int, readers: int = 0) -> None:
        """Send events one after the other to all readers, or to so many, who read at once."""
        times: list[float] = []
        for _ in range(events):
            started_at = await self.post()
            times += [each - started_at for each in self.readers.read(readers or len(self.readers))]
        self.latencies.append(sorted(times))

    def percentile_ms(self, share: float) -> float:
        """Return the median of the rounds' percentiles, in milliseconds."""
        return statistics.median(find_percentile(each, share) for each in self.latencies) * 1000


def find_percentile(times: list[float], share: float) -> float:
    """Return the value that `share` (0 to 1) of sorted values do not exceed."""
    return times[min(len(times) - 1, int(len(times) * share))]


@dataclass(frozen=True, slots=True)
class FanOutResult:
    """The servers with readers of one thread, and the hub with a thread for each reader."""

    subjects: dict[str, Subject]
    threads: Subject
    comments: list[float]
    """Seconds from a browser's post of a comment to each of the readers, sorted."""

    def compare_rates(self, other: str) -> float:
        """Return the hub's frames for each second of processor time, divided by another server's."""
        pairs = zip(
            self.subjects["hub"].frames_per_second, self.subjects[other].frames_per_second, strict=True
        )
        return statistics.median(hub / reference for hub, reference in pairs)


async def measure_fan_out(stage: Stage, *, rounds: int, events: int) -> FanOutResult:
    """Measure all servers with readers of one thread, in turn, and the hub with as many threads."""
    with _start_references(stage) as ports:
        redis = Redis.from_url(stage.installation.redis_url)
        (stream,) = await stage.create_streams(1)
        hub = await _open_hub(stage, "hub", [stream] * READERS)
        subjects = {"hub": hub} | {
            name: Subject(name, pid, await _open_reference(port), _make_publisher(redis))
            for name, (port, pid) in ports.items()
        }
        threads = await _open_hub(stage, "threads", await stage.create_streams(THREADS))
        try:
            for subject in subjects.values():
                await subject.measure_rate(_WARM_UP)
                subject.frames_per_second.clear()
            for index in range(rounds):
                say(f"Fan-out, round {index + 1} of {rounds} …")
                for subject in subjects.values():
                    await subject.measure_rate(events)
                    # The hub ends readers who do not answer its pings.
                    for each in (hub, threads):
                        each.readers.drain(0)
                await hub.measure_latency(events)
                await threads.measure_latency(4 * events, readers=1)
            comments = await _measure_comments(stage, events)
        finally:
            for subject in subjects.values():
                subject.readers.close()
            threads.readers.close()
            await redis.aclose()
    return FanOutResult(subjects, threads, comments)


async def measure_stuck_reader(stage: Stage, *, rounds: int, events: int) -> float:
    """Return the p99 of readers beside one that does not read, divided by that without it, each over all rounds."""
    (stream,) = await stage.create_streams(1)
    subject = await _open_hub(stage, "others", [stream] * _STUCK_READERS, size=_LARGE)
    stuck, hub = SocketReaders(), stage.installation.hubs[0]
    sheds = await read_metric(hub, _SHEDS)
    times: dict[bool, list[float]] = {True: [], False: []}
    try:
        await subject.measure_latency(_WARM_UP)
        for index in range(rounds):
            # In turn first and second, so that a trend of the machine favours neither.
            for is_stuck in (True, False) if index % 2 else (False, True):
                if is_stuck:
                    stuck = await stage.open_readers([stream], receive_buffer=_STUCK_BUFFER)
                await subject.measure_latency(events)
                stuck.close()
                times[is_stuck] += subject.latencies[-1]
        if await read_metric(hub, _SHEDS) < sheds + rounds:
            raise RuntimeError("The hub has not ended each reader that did not read.")
    finally:
        stuck.close()
        subject.readers.close()
    return find_percentile(sorted(times[True]), 0.99) / find_percentile(sorted(times[False]), 0.99)


async def _open_hub(stage: Stage, name: str, streams: list[Stream], size: int = 0) -> Subject:
    """Open readers of the hub; events are written to all the streams that they follow, in turn."""
    readers = await stage.open_readers(streams)
    distinct = itertools.cycle({each.stream_id: each for each in streams}.values())
    pid = stage.installation.hubs[0].process.pid
    return Subject(name, pid, readers, lambda: stage.post(next(distinct), size))


async def _measure_comments(stage: Stage, comments: int) -> list[float]:
    """Return the sorted seconds from the post of a comment over HTTP to each reader of the thread."""
    (stream,) = await stage.load_streams([stage.thread.invoice_id])
    readers = await stage.open_readers([stream] * READERS)
    poster, times = CommentPoster(stage.thread), []
    try:
        await poster.post("The first one opens the page.")
        readers.read(READERS)
        for _ in range(comments):
            started_at = perf_counter()
            posting = asyncio.create_task(poster.post("A comment."))
            arrived = await asyncio.to_thread(readers.read, READERS)
            answer = await posting
            if answer.status != 201:
                message = f"a comment was answered {answer.status}: {answer.body[:200]!r}"
                raise RuntimeError(message)
            times += [each - started_at for each in arrived]
    finally:
        readers.close()
    return sorted(times)


def _make_publisher(redis: Redis) -> Post:
    async def publish() -> float:
        started_at = perf_counter()
        await redis.publish(CHANNEL, _FRAME)
        return started_at

    return publish


@contextmanager
def _start_references(stage: Stage) -> Iterator[dict[str, tuple[int, int]]]:
    """Start the references on the hub's processor; yields port and process id of each by name."""
    running: list[programs.RunningProgram] = []
    found: dict[str, tuple[int, int]] = {}
    installation = stage.installation
    try:
        for kind in SERVERS:
            if kind == C_LOOP and find_compiler() is None:
                continue
            port = find_free_port()
            command = (kind, str(port), installation.redis_url)
            program = programs.Program(f"reference {kind}", command, port, "ops.bench.reference_sockets")
            running.append(programs.start(program, programs.build_environ({}), installation.state / "logs"))
            bind_to_processor(running[-1].process.pid, 0)
            found[kind] = (port, running[-1].process.pid)
        yield found
    finally:
        for each in running:
            each.process.kill()
            each.process.wait()


async def _open_reference(port: int, readers: int = READERS) -> SocketReaders:
    """Open readers of a reference, which may not listen yet."""
    deadline = perf_counter() + _START_S
    opened = SocketReaders()
    while True:
        try:
            opened.open([SocketRequest(port, "127.0.0.1", "/realtime")] * readers)
        except ConnectionRefusedError:
            if perf_counter() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            return opened
