"""Exercises: how each action is called, and which events it emits then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from kernel.clock import SystemClock
from tests.fakes.sample_workspaces import SampleWorkspace

CLOCK = SystemClock()
Action = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of an action; None as workspace is that of the sample workspace."""

    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] | None = None
    workspace_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Exercise:
    """A way to call an action; without `kinds` it changes nothing and emits nothing."""

    name: str
    action: Action
    kinds: tuple[str, ...]
    payload: Mapping[str, Any]
    """What the payload of the last event holds, among others."""
    prepare: Callable[[SampleWorkspace], Awaitable[Call]]


EXERCISES: dict[str, Exercise] = {}


def exercise(
    action: Action, *kinds: str, **payload: Any
) -> Callable[[Callable[[SampleWorkspace], Awaitable[Call]]], None]:
    """Register how an action is prepared, and what it emits then."""

    def register(prepare: Callable[[SampleWorkspace], Awaitable[Call]]) -> None:
        name = prepare.__name__
        assert name not in EXERCISES
        EXERCISES[name] = Exercise(name, action, kinds, payload, prepare)

    return register


def call(*arguments: Any, **options: Any) -> Call:
    return Call(arguments, options)


async def run(workspace: SampleWorkspace, action: Action, *arguments: Any, **options: Any) -> Any:
    """Run an action in a unit of work of its own."""
    async with workspace.database.scope(workspace.workspace_id):
        return await action(*arguments, **options)
