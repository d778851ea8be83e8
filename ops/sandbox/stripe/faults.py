"""Faults on the way to the API and back, put in by the control: each meets the next requests that match."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from ops.sandbox.stripe.refusals import ApiRefusal, refuse_v1
from ops.sandbox.stripe.routing import Answer, Call

ask_part = Callable[[], Awaitable[Answer]]
#: Answers a call, from memory if its idempotency key was used before.
remember_answer = Callable[[Call, ask_part], Awaitable[Answer]]


class FaultKind(StrEnum):
    """What goes wrong, and whether the request was carried out."""

    RATE_LIMIT = "429"
    """Too many requests: nothing is done, nothing is remembered."""
    LOCK_TIMEOUT = "lock_timeout"
    """Another request holds the object: nothing is done, nothing is remembered."""
    ERROR_BEFORE = "error_before"
    """503 before anything is done; the same key may do it later."""
    ERROR_STORED = "error_stored"
    """500 before anything is done, and remembered: the same key gets it again."""
    ERROR_AFTER = "error_after"
    """Done, and yet 500, which is remembered."""
    DROP_BEFORE = "drop_before"
    """The connection ends before anything is done."""
    DROP_AFTER = "drop_after"
    """Done, and the connection ends without an answer."""
    SLOW = "slow"
    """Done, and answered after `seconds`."""


@dataclass(slots=True)
class Fault:
    """A fault for the next `times` requests that match."""

    kind: FaultKind
    match: str = "*"
    """Method and path, or their beginning; `*` stands for anything: `POST /v1/payment_intents/*/confirm`."""
    times: int = 1
    account_id: str = ""
    """Only requests for this account; empty for all."""
    seconds: float = 1.0
    """How slow a slow answer is."""

    def __post_init__(self) -> None:
        """Take the kind's text, too; ValueError for one that there is not."""
        self.kind = FaultKind(self.kind)

    def meets(self, call: Call) -> bool:
        """Tell whether a call is one of those that go wrong."""
        request = f"{call.method} {call.path}"
        is_matched = request.startswith(self.match) or fnmatchcase(request, self.match)
        return self.times > 0 and is_matched and self.account_id in {"", call.account_id}


_REFUSALS: Final = {
    FaultKind.RATE_LIMIT: (429, "rate_limit", "Request rate limit exceeded.", "invalid_request_error"),
    FaultKind.LOCK_TIMEOUT: (
        429,
        "lock_timeout",
        (
            "This object cannot be accessed right now because another API request or Stripe process is currently "
            "accessing it. If you see this error intermittently, retry the request."
        ),
        "invalid_request_error",
    ),
    FaultKind.ERROR_BEFORE: (503, None, "Stripe is temporarily unavailable.", "api_error"),
    FaultKind.ERROR_STORED: (500, None, "An unknown error occurred.", "api_error"),
    FaultKind.ERROR_AFTER: (500, None, "An unknown error occurred.", "api_error"),
}
#: Stripe says of an error that it would only replay that another attempt is of no use; of a 429 it says nothing.
_RETRY_ADVICE: Final = {
    FaultKind.ERROR_BEFORE: (("stripe-should-retry", "true"),),
    FaultKind.ERROR_STORED: (("stripe-should-retry", "false"),),
    FaultKind.ERROR_AFTER: (("stripe-should-retry", "false"),),
}


class Faults:
    """The faults that are still to come; `answer` puts them in the way of calls."""

    def __init__(self, remember: remember_answer) -> None:
        self._remember = remember
        self.waiting: list[Fault] = []
        self.met = 0
        """How many requests met a fault."""

    def add(self, fault: Fault) -> None:
        """Let the next requests that match go wrong."""
        self.waiting.append(fault)

    async def answer(self, call: Call, ask: ask_part) -> Answer:
        """Answer a call: by the first fault that meets it, or as if there were none."""
        fault = next((one for one in self.waiting if one.meets(call)), None)
        if fault is None:
            return await self._remember(call, ask)
        fault.times -= 1
        self.met += 1
        if not fault.times:
            self.waiting.remove(fault)
        return await self._answer_by(fault, call, ask)

    async def _answer_by(self, fault: Fault, call: Call, ask: ask_part) -> Answer:
        match fault.kind:
            case FaultKind.RATE_LIMIT | FaultKind.LOCK_TIMEOUT | FaultKind.ERROR_BEFORE:
                return _refuse(fault.kind)
            case FaultKind.ERROR_STORED:
                return await self._remember(call, _build_refusal(fault.kind))
            case FaultKind.ERROR_AFTER:
                return await self._remember(call, _act_and_refuse(ask))
            case FaultKind.DROP_BEFORE:
                return replace(_refuse(FaultKind.ERROR_BEFORE), is_dropped=True)
            case FaultKind.DROP_AFTER:
                return replace(await self._remember(call, ask), is_dropped=True)
            case FaultKind.SLOW:
                answer = await self._remember(call, ask)
                await asyncio.sleep(fault.seconds)
                return answer


def _refuse(kind: FaultKind) -> Answer:
    status, code, message, error_type = _REFUSALS[kind]
    refusal: ApiRefusal = refuse_v1(status, code, message, kind=error_type)
    return Answer(refusal.body, status, _RETRY_ADVICE.get(kind, ()))


def _build_refusal(kind: FaultKind) -> ask_part:
    async def refuse() -> Answer:
        return _refuse(kind)

    return refuse


def _act_and_refuse(ask: ask_part) -> ask_part:
    async def act() -> Answer:
        await ask()
        return _refuse(FaultKind.ERROR_AFTER)

    return act
