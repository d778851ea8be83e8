"""Chromium's own sandbox: used by every user but root; where it cannot be used, that is an error or a warning."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
NOT_POSSIBLE = 77


def _render(home: Path, *words: str) -> tuple[dict[str, Any], str]:
    """Render as an unprivileged user; returns the result and the log."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, str(ROOT), str(ROOT / "platform")])}
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "fakes" / "unprivileged_render.py"), str(home), *words],
        check=False,
        capture_output=True,
        text=True,
        env=environ,
    )
    if done.returncode == NOT_POSSIBLE:
        pytest.skip("this machine lets nobody forbid namespaces")
    assert done.returncode == 0, done.stderr
    log, _, last = done.stdout.rstrip().rpartition("\n")
    return json.loads(last), log


@pytest.fixture
def home(servers: object) -> Iterator[Path]:
    """A folder for another user; starting Postgres has made .venv readable for that user."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_an_ordinary_users_renderer_is_in_the_sandbox(home: Path) -> None:
    result, log = _render(home)
    assert result["user"] != 0
    assert (result["seccomp"], result["namespace"]) == ("2", True)
    assert "browser runs without its sandbox" not in log


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can forbid namespaces")
def test_where_namespaces_are_forbidden_the_error_names_both_remedies(home: Path) -> None:
    result, _ = _render(home, "forbidden")
    assert "user namespaces are not allowed here" in result["error"]
    assert "PORTAL_CHROMIUM_SANDBOX=false" in result["error"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can forbid namespaces")
def test_without_the_sandbox_it_renders_there_and_logs_a_warning(home: Path) -> None:
    result, log = _render(home, "forbidden", "without")
    assert (result["seccomp"], result["namespace"]) == ("0", False)
    assert "browser runs without its sandbox" in log
    assert "PORTAL_CHROMIUM_SANDBOX is false" in log
