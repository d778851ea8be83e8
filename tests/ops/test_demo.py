import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ops import programs, visit

ROOT = Path(__file__).resolve().parents[2]
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}


def _command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "ops.demo", *map(str, arguments)]


@contextmanager
def _demo(
    state: Path, *arguments: str, environ: Mapping[str, str] = ENVIRON, said: list[str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A demo that is ready, or whose output says why not; `said` takes what it says until then."""
    with subprocess.Popen(
        _command("--state", state, "--port", str(programs.free_port()), *arguments),
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            seen = [] if said is None else said
            for line in process.stdout:
                seen.append(line)
                if line.startswith("Ctrl-C stops everything"):
                    break
            else:
                pytest.fail("".join(seen))
            yield process
        finally:
            process.kill()


def _facts(state: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((state / "demo.json").read_text(encoding="utf-8"))
    return facts


def _alive(pids: dict[str, int]) -> list[str]:
    return [name for name, pid in pids.items() if Path(f"/proc/{pid}").exists()]


def _wait_for_the_view(metrics_url: str) -> None:
    """Wait until the page that was fetched is in the view log."""
    line = 'portal_views_total{result="written"} 1.0'
    deadline = time.monotonic() + 20
    while line not in (seen := visit.fetch(metrics_url).body.decode()):
        assert time.monotonic() < deadline, seen
        time.sleep(0.1)


def _output(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    text = process.stdout.read()
    process.wait(30)
    return text


def test_the_demo_starts_shows_stops_and_starts_again(tmp_path: Path) -> None:
    with _demo(tmp_path) as process:
        first = _facts(tmp_path)
        assert sorted(first) == ["base_url", "invoices", "metrics", "pids", "workspaces"]
        everybody = ["gateway", "postgres", "redis", "relay", "scheduler", "worker"]
        assert sorted(first["pids"]) == everybody
        assert sorted(_alive(first["pids"])) == everybody
        assert len(first["workspaces"]) > 1
        paid = next(invoice for invoice in first["invoices"] if "paid" in invoice["tags"])
        assert visit.fetch(paid["url"]).status == 200
        assert [visit.fetch(url).status for url in first["metrics"].values()] == [200, 200, 200, 200]
        _wait_for_the_view(first["metrics"]["gateway"])
        assert visit.fetch(f"{first['base_url']}/i/x").status == 404

        second = subprocess.run(
            _command("--state", tmp_path), cwd=ROOT, env=ENVIRON, check=False, capture_output=True, text=True
        )
        assert second.returncode == 1
        assert f"A demo already runs on {tmp_path}" in second.stderr

        process.send_signal(signal.SIGINT)
        assert _output(process).endswith("Stopped.\n")
        assert process.returncode == 0
    assert _alive(first["pids"]) == []
    assert not (tmp_path / "demo.json").exists()

    began = time.monotonic()
    with _demo(tmp_path) as process:
        assert time.monotonic() - began < 10
        again = _facts(tmp_path)
        assert [(i["workspace"], i["number"], i["tags"]) for i in again["invoices"]] == [
            (i["workspace"], i["number"], i["tags"]) for i in first["invoices"]
        ]

        _ends_by_naming(process, tmp_path, "gateway", "The gateway was ended by SIGKILL", "logs/gateway.log")
    for server in ("redis", "postgres"):
        with _demo(tmp_path) as process:
            words = f"{server.capitalize()} was ended by SIGKILL"
            _ends_by_naming(process, tmp_path, server, words, f"{server}.log")


def _ends_by_naming(process: subprocess.Popen[str], state: Path, killed: str, words: str, log: str) -> None:
    pids = _facts(state)["pids"]
    os.kill(pids[killed], signal.SIGKILL)
    said = _output(process)
    assert words in said
    assert str(state / log) in said
    assert process.returncode == 1
    assert _alive(pids) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_nothing_survives_a_demo_that_is_killed(tmp_path: Path) -> None:
    with _demo(tmp_path) as process:
        pids = _facts(tmp_path)["pids"]
        process.kill()
    # A worker may take all its twenty seconds of grace: Postgres and Redis died under the prints it had begun.
    deadline = time.monotonic() + 40
    while _alive(pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _alive(pids) == []


def test_without_any_chromium_pages_are_read_and_the_cure_is_said(tmp_path: Path) -> None:
    nothing = {"PATH": "/nonexistent", "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path)}
    offline = {"PLAYWRIGHT_DOWNLOAD_HOST": "http://127.0.0.1:9"}
    said: list[str] = []
    with _demo(tmp_path, environ=ENVIRON | nothing | offline, said=said) as process:
        paid = next(invoice for invoice in _facts(tmp_path)["invoices"] if "paid" in invoice["tags"])
        assert visit.fetch(paid["url"]).status == 200
        later = visit.fetch(f"{paid['url']}/invoice.pdf")
        assert later.status in {202, 503}
        assert b"This page tries again by itself." in later.body
        process.send_signal(signal.SIGINT)
        assert _output(process).endswith("Stopped.\n")
    assert "Without a Chromium pages can be read, but no PDF is made." in "".join(said)
    assert "Install Chromium or Google Chrome so that it is on PATH" in "".join(said)


def test_check_ends_with_one_line_of_timings_and_leaves_nothing_behind() -> None:
    before = set((ROOT / ".portal").glob("check-*"))
    done = subprocess.run(
        _command("--check"), cwd=ROOT, env=ENVIRON, check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["ok"] is True
    assert result["pages"] > 20
    assert result["pdfs"] > 20
    steps = {"chromium", "postgres", "redis", "migrate", "seed", "processes", "pages", "pdfs"}
    assert set(result["seconds"]) == steps
    assert set((ROOT / ".portal").glob("check-*")) == before


def test_a_port_in_use_is_refused_with_its_cure(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            _command("--state", tmp_path, "--port", str(port)),
            cwd=ROOT,
            env=ENVIRON,
            check=False,
            capture_output=True,
            text=True,
        )
    assert (done.returncode, f"Port {port} is in use. Choose another with --port" in done.stderr) == (1, True)


def test_somebody_elses_database_is_not_thrown_away(tmp_path: Path) -> None:
    done = subprocess.run(
        _command("--state", tmp_path, "--fresh"),
        cwd=ROOT,
        env=ENVIRON | {"PORTAL_DATABASE_URL": "postgresql://admin@127.0.0.1:1/theirs"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "drop that one yourself" in done.stderr


def test_a_database_that_does_not_answer_is_said_in_one_sentence() -> None:
    done = subprocess.run(
        _command("--check"),
        cwd=ROOT,
        env=ENVIRON | {"PORTAL_DATABASE_URL": "postgresql://admin@127.0.0.1:1/theirs"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("The database could not be prepared: ")
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["ok"] is False
