"""The fields of the SDK's classes and parameter dictionaries, with their types resolved."""

import ast
import builtins
import functools
import inspect
import re
import sys
import types
import typing
from importlib import import_module
from pathlib import Path
from typing import (
    Any,
    ClassVar,
    Final,
    ForwardRef,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
)

import typing_extensions
from stripe import RequestOptions

#: Classes that carry no fields of the API.
_PLUMBING: Final = ("stripe._stripe_object", "stripe._api_resource", "stripe._list_object")


@functools.cache
def list_fields(cls: type) -> dict[str, Any]:
    """Return the fields that a class of the SDK declares, by name."""
    if typing_extensions.is_typeddict(cls):
        return _list_parameters(cls)
    fields: dict[str, Any] = {}
    for parent in reversed(cls.__mro__):
        if not parent.__module__.startswith("stripe") or parent.__module__ in _PLUMBING:
            continue
        for name, kind in inspect.get_annotations(parent).items():
            if not name.startswith("_") and not _is_of_class(kind):
                fields[name] = resolve(kind, parent.__module__)
    return fields


def _list_parameters(cls: type) -> dict[str, Any]:
    inherited: dict[str, Any] = {}
    for parent in getattr(cls, "__orig_bases__", ()):
        # Options of a request (its key, its account) are headers, not parameters.
        if typing_extensions.is_typeddict(parent):
            inherited |= list_fields(parent)
    options = list_fields(RequestOptions) if cls is not RequestOptions else {}
    own = {
        name: resolve(kind, cls.__module__)
        for name, kind in cls.__annotations__.items()
        if name not in inherited
    }
    return {name: kind for name, kind in (inherited | own).items() if name not in options}


def resolve(kind: Any, module: str) -> Any:
    """Return a type without forward references."""
    if isinstance(kind, ForwardRef):
        kind = kind.__forward_arg__
    if isinstance(kind, str):
        # The text is the SDK's own, read from the installed package.
        return resolve(eval(kind, {"__builtins__": builtins}, _names_of(module)), module)  # noqa: S307
    origin = get_origin(kind)
    if origin is None or origin is Literal:
        return kind
    parts = tuple(resolve(part, module) for part in get_args(kind))
    if origin in (Union, types.UnionType):
        return Union[parts]  # noqa: UP007  -- a union of a computed number of arms
    if origin in (NotRequired, Required):
        return origin[parts[0]]
    return origin[parts]


@functools.cache
def _names_of(module: str) -> dict[str, Any]:
    import_module(module)
    return _Names(module)


class _Names(dict[str, Any]):
    """The names of a module, also those that it imports for type checkers alone."""

    def __init__(self, module: str) -> None:
        super().__init__(vars(typing) | vars(sys.modules[module]))
        self._imports = _read_imports(str(sys.modules[module].__file__))

    def __missing__(self, name: str) -> Any:
        module, attribute = self._imports[name]
        return getattr(import_module(module), attribute)


def _read_imports(file: str) -> dict[str, tuple[str, str]]:
    # All imports stand above the first class; the largest modules take half a second to parse whole.
    head = re.split(r"^(?:class |@)", Path(file).read_text(encoding="utf-8"), maxsplit=1, flags=re.MULTILINE)[
        0
    ]
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(ast.parse(head))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def _is_of_class(kind: Any) -> bool:
    return get_origin(kind) is ClassVar or (isinstance(kind, str) and "ClassVar" in kind)
