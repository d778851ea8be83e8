import sys

import pytest

from ops.dev import checks


def _check(name: str, code: str) -> checks.Check:
    return checks.Check(name, (sys.executable, "-c", code))


def test_checks_are_reported_in_their_order_and_the_failed_ones_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    slow = _check("slow", "import time; time.sleep(0.5)")
    wrong = _check("wrong", "print('line 3 is too long'); raise SystemExit(1)")
    quick = _check("quick", "print('nothing to say')")
    assert checks.run_checks([slow, wrong, quick]) == ["wrong"]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" (")[0] for line in lines if line.startswith("·")] == [
        "· slow: ok",
        "· wrong: FAILED",
        "· quick: ok",
    ]
    assert "line 3 is too long" in lines
    assert "nothing to say" not in lines


def test_every_linter_and_type_checker_is_run() -> None:
    assert [check.name for check in checks.CHECKS] == [
        "ruff check",
        "ruff format",
        "mypy",
        "basedpyright",
        "lint-imports",
        "typescript",
        "biome",
        "vitest",
    ]
