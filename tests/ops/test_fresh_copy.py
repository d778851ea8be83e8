"""A fresh copy of the repository sets itself up and runs, with nothing but Python, git and the package registries."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def copy_repository(destination: Path) -> None:
    """Copy what git tracks or would track: no environment, no build products."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listing.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, destination / name)


@pytest.fixture
def fresh_copy() -> Iterator[Path]:
    """The repository in a folder that other users may read: as root, Postgres runs as one of them."""
    with tempfile.TemporaryDirectory(prefix="portal-fresh-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        copy_repository(folder)
        yield folder


@pytest.mark.integration
def test_a_fresh_copy_sets_itself_up_and_serves_the_demo(fresh_copy: Path) -> None:
    assert not (fresh_copy / ".venv").exists()
    environ = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    process = subprocess.run(
        [fresh_copy / "ops" / "demo", "--check"],
        cwd=fresh_copy,
        env=environ,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.returncode == 0, process.stdout
    result = json.loads(process.stdout.splitlines()[-1])
    assert result["ok"] is True
    assert result["pages"] > 20
    assert result["pdfs"] > 20
    assert (fresh_copy / ".venv").is_dir()
