"""Chromium's own sandbox: on for every user but root, missed aloud where it cannot be."""

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
IMPOSSIBLE = 77


def _printed(home: Path, *words: str) -> tuple[dict[str, Any], str]:
    """What an ordinary user's press says, and its log."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, str(ROOT), str(ROOT / "platform")])}
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "fakes" / "lowly.py"), str(home), *words],
        check=False,
        capture_output=True,
        text=True,
        env=environ,
    )
    if done.returncode == IMPOSSIBLE:
        pytest.skip("this machine lets nobody forbid namespaces")
    assert done.returncode == 0, done.stderr
    log, _, last = done.stdout.rstrip().rpartition("\n")
    return json.loads(last), log


@pytest.fixture
def home(house: object) -> Iterator[Path]:
    """A folder for somebody else; starting the servers has made .venv reachable for them."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_an_ordinary_users_renderer_is_in_the_sandbox(home: Path) -> None:
    said, log = _printed(home)
    assert said["user"] != 0
    assert (said["seccomp"], said["namespace"]) == ("2", True)
    assert "without_sandbox" not in log


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can forbid namespaces")
def test_where_namespaces_are_forbidden_nothing_is_printed_and_the_cure_is_said(home: Path) -> None:
    said, _ = _printed(home, "forbidden")
    assert "user namespaces are not allowed here" in said["error"]
    assert "PORTAL_CHROMIUM_SANDBOX=false" in said["error"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can forbid namespaces")
def test_without_the_sandbox_it_prints_there_too_and_says_so(home: Path) -> None:
    said, log = _printed(home, "forbidden", "without")
    assert (said["seccomp"], said["namespace"]) == ("0", False)
    assert "press.without_sandbox" in log
    assert "PORTAL_CHROMIUM_SANDBOX is false" in log
