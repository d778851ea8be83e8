"""The shape of the web layer: how much of it speaks ASGI by hand, and how much of it has no type."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in (ROOT / "web").rglob("*.py")
}
TREES = {name: ast.parse(source, name) for name, source in SOURCES.items() if "node_modules" not in name}
PROTOCOL = "web/http/protocol.py"


def test_the_web_layer_names_its_types() -> None:
    named = sum(
        isinstance(node, ast.Name) and node.id == "Any" for tree in TREES.values() for node in ast.walk(tree)
    )
    lines = sum(len(SOURCES[name].splitlines()) for name in TREES)
    assert named * 1000 <= 6 * lines


def test_little_speaks_asgi_and_no_handler_does() -> None:
    """Functions that take `receive` or `send`, the one that sends messages, and the server's protocol."""
    functions = [
        (name, node)
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and ({"receive", "send"} & {arg.arg for arg in node.args.args} or node.name == "send")
    ]
    assert {name for name, _ in functions} <= {
        "web/gateway.py",
        "web/http/bodies.py",
        "web/http/middleware.py",
        "web/http/server.py",
    }
    lines = sum((node.end_lineno or node.lineno) - node.lineno + 1 for _, node in functions)
    assert lines + len(SOURCES[PROTOCOL].splitlines()) <= 350


def test_handlers_touch_neither_the_scope_nor_raw_headers() -> None:
    for name, tree in TREES.items():
        if not name.startswith("web/http/") and name != "web/gateway.py":
            touched = [
                node.attr
                for node in ast.walk(tree)
                if isinstance(node, ast.Attribute) and node.attr == "scope"
            ]
            # `database.scope(…)` opens a unit of work.
            opened = SOURCES[name].count("database.scope(")
            assert len(touched) == opened, name
            assert ".encode_headers" not in SOURCES[name], name
