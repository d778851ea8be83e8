import subprocess
import sys
from pathlib import Path

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


@pytest.mark.parametrize(
    ("arguments", "selected"),
    [([], "no tests collected (1 deselected)"), (checks.select_integration([]), "1 test collected")],
    ids=["suite", "integration"],
)
def test_integration_tests_run_only_when_they_are_asked_for(arguments: list[str], selected: str) -> None:
    process = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--collect-only",
            "-q",
            "-n0",
            *arguments,
            "tests/ops/test_fresh_copy.py",
        ],
        cwd=checks.ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert selected in process.stdout.splitlines()[-1]


def test_the_folder_for_temporary_files_is_in_memory_and_gone_afterwards(tmp_path: Path) -> None:
    with checks.create_folder_in_memory(tmp_path) as folder:
        assert folder is not None
        assert folder.parent == tmp_path
        (folder / "file").touch()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("memory", [None, Path("/nonexistent"), Path("/proc")], ids=str)
def test_where_memory_has_no_room_the_system_chooses_the_folder(memory: Path | None) -> None:
    with checks.create_folder_in_memory(memory) as folder:
        assert folder is None


def test_ci_runs_the_suite_and_then_the_integration_tests() -> None:
    commands = (checks.ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [line.removeprefix("exec ") for line in commands[-2:]] == ["ops/test", "ops/test --integration"]
