"""Idempotency keys: the first answer for a key is given again (https://docs.stripe.com/api/idempotent_requests)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from ops.sandbox.stripe.refusals import refuse_v1
from ops.sandbox.stripe.routing import Answer, Call

# Nothing was begun when a request is refused by these, so nothing is kept.
_NOT_KEPT = frozenset({401, 403, 409, 429})


@dataclass(slots=True)
class _First:
    path: str
    parameters: dict[str, Any]
    answer: Answer | None = None
    """None as long as the request runs."""


class Idempotency:
    """What was answered for which key of which account."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], _First] = {}

    def forget(self) -> None:
        """Remove all keys, as Stripe does with those that are a day old."""
        self._kept.clear()

    async def answer(self, call: Call, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Answer a call, from memory if its key was used before."""
        key = call.headers.get("idempotency-key", "")
        if call.method != "POST" or not key:
            return await ask()
        place = (call.account_id, key)
        first = self._kept.get(place)
        if first is not None:
            return _repeat(first, call, key)
        self._kept[place] = first = _First(call.path, call.parameters)
        try:
            answer = await ask()
        except BaseException:
            del self._kept[place]
            raise
        # Refusals of v2 here are all of parameters, so that nothing was begun.
        is_refused_v2 = call.path.startswith("/v2/") and 400 <= answer.status < 500
        if answer.status in _NOT_KEPT or is_refused_v2:
            del self._kept[place]
        else:
            first.answer = answer
        return replace(answer, headers=(*answer.headers, ("idempotency-key", key)))


def _repeat(first: _First, call: Call, key: str) -> Answer:
    if (first.path, first.parameters) != (call.path, call.parameters):
        what = "for the same endpoint" if first.path != call.path else "with the same parameters"
        message = (
            f"Keys for idempotent requests can only be used {what} they were first used with. "
            f"Try using a key other than '{key}' if you meant to execute a different request."
        )
        raise refuse_v1(400, None, message, kind="idempotency_error")
    if first.answer is None:
        message = (
            "There is currently another in-progress request using this Idempotent Key (that probably means you "
            "submitted twice, and the other request is still going through). Please try again later."
        )
        raise refuse_v1(409, "idempotency_key_in_use", message, kind="idempotency_error")
    headers = (*first.answer.headers, ("idempotency-key", key), ("idempotent-replayed", "true"))
    return replace(first.answer, headers=headers)
