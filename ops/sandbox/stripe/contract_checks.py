"""Checks of JSON values and form fields against the SDK's types."""

import functools
import inspect
import re
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Literal, NotRequired, Required, Union, get_args, get_origin

import typing_extensions
from stripe import StripeContext, StripeObject
from stripe._stripe_object import UntypedStripeObject

from ops.sandbox.stripe.contract_types import list_fields


class FindingKind(StrEnum):
    """What is wrong with a value."""

    MISSING = "missing"
    UNKNOWN = "unknown"
    WRONG_TYPE = "wrong_type"
    NOT_IN_ENUM = "not_in_enum"


@dataclass(frozen=True, slots=True)
class Finding:
    """One value that the SDK's types do not allow."""

    path: str
    """In Stripe's notation: `automatic_payment_methods[enabled]`."""
    kind: FindingKind
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


#: Takes the value, its path, and the list that it appends its findings to.
type_check = Callable[[Any, str, list[Finding]], None]

_INTEGER: Final = re.compile(r"-?\d{1,18}", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


@functools.cache
def make_check(kind: Any, *, is_form: bool) -> type_check:
    """Return the check of a type; in a form all scalars are texts."""
    origin = get_origin(kind)
    if origin in (NotRequired, Required):
        return make_check(get_args(kind)[0], is_form=is_form)
    if kind in (Any, object) or isinstance(kind, typing.TypeVar):
        return _accept
    if origin in (Union, types.UnionType):
        return _make_union_check(get_args(kind), is_form=is_form)
    if origin is Literal:
        return functools.partial(_check_enum, get_args(kind), is_form=is_form)
    if origin is not None:
        return _make_container_check(origin, get_args(kind), is_form=is_form)
    if kind in (dict, UntypedStripeObject, StripeObject):
        return functools.partial(_check_map, _accept)
    if typing_extensions.is_typeddict(kind):
        return functools.partial(_check_parameters, kind, is_form=is_form)
    if inspect.isclass(kind) and kind.__module__.startswith("stripe") and kind is not StripeContext:
        return functools.partial(_check_object, kind)
    return functools.partial(_check_scalar, str if kind is StripeContext else kind, is_form=is_form)


def _make_container_check(origin: Any, parts: Sequence[Any], *, is_form: bool) -> type_check:
    item = make_check(parts[-1], is_form=is_form)
    if origin is list:
        return functools.partial(_check_list, item)
    if origin is dict or origin is UntypedStripeObject:
        return functools.partial(_check_map, item)
    return functools.partial(_check_page, origin, item)  # a list or a search result of the API


def _accept(_value: Any, _path: str, _found: list[Finding]) -> None:
    pass


def _make_union_check(arms: Sequence[Any], *, is_form: bool) -> type_check:
    # An open enum is `Literal[...] | str`: here only the known values count, or a typing error would pass.
    if any(get_origin(arm) is Literal for arm in arms):
        arms = [arm for arm in arms if arm is not str]
    checks = [make_check(arm, is_form=is_form) for arm in arms]
    nested = [check for arm, check in zip(arms, checks, strict=True) if _is_structured(arm)]

    def check(value: Any, path: str, found: list[Finding]) -> None:
        if isinstance(value, dict) and len(nested) == 1:
            nested[0](value, path, found)
            return
        worst: list[Finding] = []
        for arm in checks:
            worst = []
            arm(value, path, worst)
            if not worst:
                return
        kind = worst[0].kind if len(checks) == 1 else FindingKind.WRONG_TYPE
        if isinstance(value, str) and any(get_origin(arm) is Literal for arm in arms):
            kind = FindingKind.NOT_IN_ENUM
        found.append(Finding(path, kind, f"no type of the union takes {value!r:.60}"))

    return check


def _is_structured(kind: Any) -> bool:
    origin = get_origin(kind) or kind
    return origin is dict or (inspect.isclass(origin) and origin.__module__.startswith("stripe"))


def _check_enum(
    known: tuple[Any, ...], value: Any, path: str, found: list[Finding], *, is_form: bool
) -> None:
    allowed = {str(one).lower() if isinstance(one, bool) else one for one in known} if is_form else set(known)
    if not isinstance(value, str | bool | int) or value not in allowed:
        found.append(Finding(path, FindingKind.NOT_IN_ENUM, f"{value!r:.60} is none of {len(known)} values"))


def _check_list(item: type_check, value: Any, path: str, found: list[Finding]) -> None:
    if not isinstance(value, list):
        found.append(Finding(path, FindingKind.WRONG_TYPE, "no list"))
        return
    for number, one in enumerate(value):
        item(one, f"{path}[{number}]", found)


def _check_map(item: type_check, value: Any, path: str, found: list[Finding]) -> None:
    if not isinstance(value, dict):
        found.append(Finding(path, FindingKind.WRONG_TYPE, "no object"))
        return
    for key, one in value.items():
        item(one, _join(path, key), found)


def _check_page(cls: type, item: type_check, value: Any, path: str, found: list[Finding]) -> None:
    if not isinstance(value, dict):
        found.append(Finding(path, FindingKind.WRONG_TYPE, "no list object"))
        return
    is_v2 = cls.__module__.startswith("stripe.v2")
    names = {"data", "next_page_url", "previous_page_url"} if is_v2 else {"object", "data", "has_more", "url"}
    _check_names(value, names, names, path, found)
    if not is_v2 and value.get("object") != "list":
        found.append(Finding(_join(path, "object"), FindingKind.NOT_IN_ENUM, "not list"))
    _check_list(item, value.get("data", []), _join(path, "data"), found)


def _check_parameters(cls: type, value: Any, path: str, found: list[Finding], *, is_form: bool) -> None:
    if not isinstance(value, dict):
        found.append(Finding(path, FindingKind.WRONG_TYPE, "no object"))
        return
    fields = list_fields(cls)
    required = {name for name, kind in fields.items() if get_origin(kind) is not NotRequired}
    _check_names(value, fields, required, path, found)
    for name in value.keys() & fields:
        make_check(fields[name], is_form=is_form)(value[name], _join(path, name), found)


def _check_object(cls: type, value: Any, path: str, found: list[Finding]) -> None:
    if not isinstance(value, dict):
        found.append(Finding(path, FindingKind.WRONG_TYPE, f"no {cls.__name__}"))
        return
    fields = list_fields(cls)
    _check_names(value, fields, _list_required(cls), path, found)
    for name in value.keys() & fields:
        make_check(fields[name], is_form=False)(value[name], _join(path, name), found)


@functools.cache
def _list_required(cls: type) -> frozenset[str]:
    """Return the fields that every answer has: those that may not be null, and the class does not preset."""
    return frozenset(
        name
        for name, kind in list_fields(cls).items()
        if type(None) not in get_args(kind) and not hasattr(cls, name)
    )


def _check_names(value: dict[str, Any], known: Any, required: Any, path: str, found: list[Finding]) -> None:
    found.extend(
        Finding(_join(path, name), FindingKind.UNKNOWN, "is not known") for name in value if name not in known
    )
    found.extend(
        Finding(_join(path, name), FindingKind.MISSING, "is missing")
        for name in sorted(required - value.keys())
    )


def _check_scalar(kind: Any, value: Any, path: str, found: list[Finding], *, is_form: bool) -> None:
    if not (_is_form_scalar(kind, value) if is_form else _is_scalar(kind, value)):
        name = getattr(kind, "__name__", str(kind))
        found.append(Finding(path, FindingKind.WRONG_TYPE, f"{value!r:.60} is no {name}"))


def _is_scalar(kind: Any, value: Any) -> bool:
    if kind is type(None):
        return value is None
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, int | float)
    if kind is Decimal:
        return isinstance(value, str) and _NUMBER.fullmatch(value) is not None
    return inspect.isclass(kind) and isinstance(value, kind)


def _is_form_scalar(kind: Any, value: Any) -> bool:
    if not isinstance(value, str):
        return False
    if kind is int:
        return _INTEGER.fullmatch(value) is not None
    if kind in (float, Decimal):
        return _NUMBER.fullmatch(value) is not None
    if kind is bool:
        return value in {"true", "false"}
    return kind is str or (kind is type(None) and not value)


def _join(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name
