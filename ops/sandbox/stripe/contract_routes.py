"""The routes of the API that the sandbox serves, read from the services of the installed SDK."""

import ast
import functools
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from ops.sandbox.stripe.contract_types import resolve

SERVICES: Final = (
    "stripe._payment_intent_service",
    "stripe._charge_service",
    "stripe._refund_service",
    "stripe._dispute_service",
    "stripe._event_service",
    "stripe._balance_transaction_service",
    "stripe._payment_method_service",
    "stripe._payment_method_domain_service",
    "stripe._confirmation_token_service",
    "stripe.test_helpers._confirmation_token_service",
    "stripe._oauth_service",
    "stripe.v2.core._account_service",
    "stripe.v2.core._account_link_service",
    "stripe.v2.core._event_service",
)


@dataclass(frozen=True, slots=True)
class ContractRoute:
    """A method and path, what may be sent to it, and what it answers."""

    method: str
    pattern: re.Pattern[str]
    template: str
    parameters: Any
    """A TypedDict; None for a route without parameters."""
    response: Any


def find_route(method: str, path: str) -> ContractRoute | None:
    """Return the route for a request; None when the SDK has none."""
    return next(
        (
            route
            for route in list_routes()
            if route.method == method.upper() and route.pattern.fullmatch(path)
        ),
        None,
    )


@functools.cache
def list_routes() -> tuple[ContractRoute, ...]:
    """Return all routes; those without a variable part first."""
    found = [route for module in SERVICES for route in _read_service(module)]
    return tuple(sorted(found, key=lambda route: "{" in route.template))


def _read_service(module: str) -> Iterator[ContractRoute]:
    import_module(module)
    text = Path(str(sys.modules[module].__file__)).read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.returns is not None:
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and _is_request(call):
                    yield _make_route(module, node, call)


def _is_request(call: ast.Call) -> bool:
    return (
        isinstance(call.func, ast.Attribute)
        and call.func.attr in {"_request", "request"}
        and len(call.args) > 1
    )


def _make_route(module: str, function: ast.FunctionDef, call: ast.Call) -> ContractRoute:
    method, path = call.args[0], call.args[1]
    if isinstance(path, ast.Call) and isinstance(path.func, ast.Attribute):
        path = path.func.value  # "/v1/…/{id}".format(…)
    template = ast.literal_eval(path)
    wanted = next((arg.annotation for arg in function.args.args if arg.arg == "params"), None)
    return ContractRoute(
        method=str(ast.literal_eval(method)).upper(),
        pattern=re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))),
        template=template,
        parameters=None if wanted is None else resolve(_read_name(wanted), module),
        response=resolve(ast.literal_eval(function.returns), module) if function.returns else None,
    )


def _read_name(annotation: ast.expr) -> str:
    """Return the text in `"Params"` or `Optional["Params"]`."""
    inner = annotation.slice if isinstance(annotation, ast.Subscript) else annotation
    return str(ast.literal_eval(inner))
