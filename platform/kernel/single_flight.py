"""Shares one call of a coroutine function between concurrent callers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

_K = TypeVar("_K", bound=Hashable)
_T = TypeVar("_T")


class _Call(Generic[_T]):
    __slots__ = ("callers", "task")

    def __init__(self, task: asyncio.Task[_T]) -> None:
        self.task = task
        self.callers = 0


class SingleFlight(Generic[_K, _T]):
    """Running calls by key. A caller that is cancelled does not cancel the call of the others."""

    def __init__(self, *, cancel_abandoned: bool) -> None:
        """Cancel a call when its last caller leaves, or else let it end: its result may be cached, say."""
        self._cancel_abandoned = cancel_abandoned
        self._calls: dict[_K, _Call[_T]] = {}

    def __len__(self) -> int:
        """Return how many calls run."""
        return len(self._calls)

    def __contains__(self, key: _K) -> bool:
        """Tell whether a call of `key` runs."""
        return key in self._calls

    async def run(self, key: _K, start: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Return or raise what the running call of `key` does; `start` begins one if there is none."""
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = _Call(asyncio.create_task(start()))
            call.task.add_done_callback(lambda task: self._end(key, task))
        call.callers += 1
        try:
            # Unlike `await`, this does not pass a caller's cancellation on to the task.
            await asyncio.wait((call.task,))
            return call.task.result()
        finally:
            call.callers -= 1
            if self._cancel_abandoned and not call.callers and not call.task.done():
                self._remove(key, call.task)
                call.task.cancel()

    def _end(self, key: _K, task: asyncio.Task[_T]) -> None:
        self._remove(key, task)
        # Without callers nobody retrieves the exception, and asyncio would log a warning.
        if not task.cancelled():
            task.exception()

    def _remove(self, key: _K, task: asyncio.Task[_T]) -> None:
        # A new call may have begun since.
        call = self._calls.get(key)
        if call is not None and call.task is task:
            del self._calls[key]
