"""Lists of objects, a page at a time, and the fields that are expanded on request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from ops.sandbox.stripe.bodies import write_charge, write_intent, write_method, write_movement
from ops.sandbox.stripe.refusals import refuse_v1
from ops.sandbox.stripe.store import Account

_T = TypeVar("_T")
_MOST: Final = 100
_DEFAULT: Final = 10
_EXPANDED: Final = frozenset(
    {
        "balance_transaction",
        "charge",
        "data",
        "failure_balance_transaction",
        "latest_charge",
        "payment_intent",
        "payment_method",
        "source",
    }
)


def write_page(
    items: Mapping[str, _T],
    call_parameters: Mapping[str, Any],
    *,
    url: str,
    write: Callable[[_T], dict[str, Any]],
    is_wanted: Callable[[_T], bool] = lambda _item: True,
    read_created: Callable[[_T], int] = lambda item: int(getattr(item, "created")),  # noqa: B009
) -> dict[str, Any]:
    """Write a page of a list, the newest first, by `limit`, `starting_after`, `ending_before` and `created`."""
    limit = _read_limit(call_parameters)
    keys = [*items][::-1]
    after, before = call_parameters.get("starting_after"), call_parameters.get("ending_before")
    for place in filter(None, (after, before)):
        if place not in items:
            message = f"No such object: '{place}'"
            raise refuse_v1(
                400, "resource_missing", message, param="starting_after" if after else "ending_before"
            )
    if after:
        keys = keys[keys.index(after) + 1 :]
    if before:
        keys = keys[: keys.index(before)]
    found = [
        items[key]
        for key in keys
        if is_wanted(items[key]) and _is_in_range(read_created(items[key]), call_parameters.get("created"))
    ]
    page = found[-limit:] if before else found[:limit]
    data = [write(item) for item in page]
    return {"object": "list", "data": data, "has_more": len(found) > limit, "url": url}


def _read_limit(parameters: Mapping[str, Any]) -> int:
    limit = int(parameters.get("limit", _DEFAULT))
    if not 1 <= limit <= _MOST:
        code = "parameter_invalid_integer"
        raise refuse_v1(400, code, f"This value must be between 1 and {_MOST}.", param="limit")
    return limit


def _is_in_range(created: int, wanted: Any) -> bool:
    if wanted is None:
        return True
    if not isinstance(wanted, dict):
        return created == int(wanted)
    checks: Mapping[str, Callable[[int], bool]] = {
        "gt": lambda bound: created > bound,
        "gte": lambda bound: created >= bound,
        "lt": lambda bound: created < bound,
        "lte": lambda bound: created <= bound,
    }
    return all(checks[name](int(bound)) for name, bound in wanted.items())


def expand(account: Account, body: dict[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """Put objects in the place of their ids, as `expand` asks: `latest_charge.balance_transaction`, `data.charge`."""
    for path in paths:
        _expand_path(account, body, path.split("."), path)
    return body


def _expand_path(account: Account, body: Any, names: list[str], path: str) -> None:
    if isinstance(body, list):
        for one in body:
            _expand_path(account, one, names, path)
        return
    name, *rest = names
    if not isinstance(body, dict) or name not in body or name not in _EXPANDED:
        message = f"This property cannot be expanded ({path})."
        raise refuse_v1(400, None, message, param="expand")
    if isinstance(body[name], str):
        found = find_object(account, body[name])
        if found is None:
            raise refuse_v1(400, None, f"This property cannot be expanded ({path}).", param="expand")
        body[name] = found
    if rest and body[name] is not None:
        _expand_path(account, body[name], rest, path)


def find_object(account: Account, object_id: str) -> dict[str, Any] | None:
    """Return the JSON of an object by its id; None if the id stands for nothing that is expanded."""
    if object_id in account.charges:
        return write_charge(account.charges[object_id])
    if object_id in account.intents:
        return write_intent(account.intents[object_id], account_id=account.account_id)
    if object_id in account.methods:
        return write_method(account.methods[object_id])
    if object_id in account.movements:
        return write_movement(account.movements[object_id])
    return None
