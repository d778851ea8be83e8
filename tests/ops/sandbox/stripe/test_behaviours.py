"""The list of the sandbox's behaviours, and the tests that check them."""

import ast
import re
from collections import Counter
from pathlib import Path

FOLDER = Path(__file__).parent
LIST = Path(__file__).parents[4] / "ops/sandbox/stripe/BEHAVIOURS.md"
SOURCE = re.compile(r"(docs|support)\.stripe\.com/\S+|stripe\.[A-Z][\w.]+")


def read_rows() -> list[tuple[str, str, str]]:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in LIST.read_text(encoding="utf-8").splitlines()
        if re.match(r"\| [a-z0-9_]+ \|", line)
    ]
    return [(name, behaviour, source) for name, behaviour, source in rows]


def list_tests() -> Counter[str]:
    return Counter(
        node.name
        for module in FOLDER.parent.rglob("test_*.py")
        for node in ast.parse(module.read_text(encoding="utf-8")).body
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
    )


def test_each_behaviour_has_a_source_and_one_test() -> None:
    rows, tests = read_rows(), list_tests()

    assert len(rows) >= 50
    assert [name for name, count in Counter(row[0] for row in rows).items() if count > 1] == []
    assert [name for name, behaviour, source in rows if not behaviour or not SOURCE.fullmatch(source)] == []
    assert [name for name, _, _ in rows if tests[f"test_{name}"] != 1] == []
