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

from ops.dev.loopback import fetch_url
from ops.ports import find_free_port

ROOT = Path(__file__).resolve().parents[3]
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}


def _command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "ops.dev.demo", *map(str, arguments)]


@contextmanager
def _demo(
    state: Path, *arguments: str, environ: Mapping[str, str] = ENVIRON, output: list[str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Start a demo and wait until it is ready; `output` gets the lines that it prints until then."""
    with subprocess.Popen(
        _command("--state", state, "--port", str(find_free_port()), *arguments),
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            seen = [] if output is None else output
            for line in process.stdout:
                seen.append(line)
                if line.startswith("Ctrl-C stops everything"):
                    break
            else:
                pytest.fail("".join(seen))
            yield process
        finally:
            process.kill()


def _read_demo_json(state: Path) -> dict[str, Any]:
    description: dict[str, Any] = json.loads((state / "demo.json").read_text(encoding="utf-8"))
    return description


def _list_alive(pids: dict[str, int]) -> list[str]:
    return [name for name, pid in pids.items() if Path(f"/proc/{pid}").exists()]


def _list_seeded(output: list[str], names: list[str]) -> list[str]:
    """Return the workspaces that the demo has reported to seed."""
    return [name for name in names if any(line.startswith(f"    {name}") for line in output)]


def _wait_for_view(metrics_url: str) -> None:
    """Wait until the view of the fetched page is in the view log."""
    line = 'portal_views_total{result="written"} 1.0'
    deadline = time.monotonic() + 20
    while line not in (seen := fetch_url(metrics_url).body.decode()):
        assert time.monotonic() < deadline, seen
        time.sleep(0.1)


def _read_output(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    text = process.stdout.read()
    process.wait(30)
    return text


@pytest.mark.integration
def test_the_demo_starts_serves_stops_and_starts_again(tmp_path: Path) -> None:
    output: list[str] = []
    with _demo(tmp_path, output=output) as process:
        first = _read_demo_json(tmp_path)
        names = [workspace["name"] for workspace in first["workspaces"]]
        assert _list_seeded(output, names) == names
        assert sorted(first) == [
            "bank_url",
            "base_url",
            "contacts",
            "invoices",
            "mailbox_url",
            "metrics",
            "pids",
            "stripe_sandbox_url",
            "test_cards",
            "workspaces",
        ]
        background = ["postgres", "redis", "relay", "scheduler", "stripe", "worker"]
        every_process = ["gateway", "hub-1", "hub-2", *background]
        assert sorted(first["pids"]) == every_process
        assert sorted(_list_alive(first["pids"])) == every_process
        assert len(first["workspaces"]) > 1
        assert fetch_url(first["bank_url"]).status == 200
        paid = next(invoice for invoice in first["invoices"] if "paid" in invoice["tags"])
        assert fetch_url(paid["url"]).status == 200
        assert [fetch_url(url).status for url in first["metrics"].values()] == [200] * 6
        _wait_for_view(first["metrics"]["gateway"])
        assert fetch_url(f"{first['base_url']}/i/x").status == 404

        second = subprocess.run(
            _command("--state", tmp_path), cwd=ROOT, env=ENVIRON, check=False, capture_output=True, text=True
        )
        assert second.returncode == 1
        assert f"A demo already runs on {tmp_path}" in second.stderr

        process.send_signal(signal.SIGINT)
        assert _read_output(process).endswith("Stopped.\n")
        assert process.returncode == 0
    assert _list_alive(first["pids"]) == []
    assert not (tmp_path / "demo.json").exists()

    output.clear()
    with _demo(tmp_path, output=output) as process:
        assert _list_seeded(output, names) == []
        again = _read_demo_json(tmp_path)
        assert [(i["workspace"], i["number"], i["tags"]) for i in again["invoices"]] == [
            (i["workspace"], i["number"], i["tags"]) for i in first["invoices"]
        ]

        _assert_failure_is_named(
            process, tmp_path, "gateway", "The gateway was ended by SIGKILL", "logs/gateway.log"
        )
    for server in ("redis", "postgres"):
        with _demo(tmp_path) as process:
            text = f"{server.capitalize()} was ended by SIGKILL"
            _assert_failure_is_named(process, tmp_path, server, text, f"{server}.log")


def _assert_failure_is_named(
    process: subprocess.Popen[str], state: Path, killed: str, text: str, log: str
) -> None:
    pids = _read_demo_json(state)["pids"]
    os.kill(pids[killed], signal.SIGKILL)
    printed = _read_output(process)
    assert text in printed
    assert str(state / log) in printed
    assert process.returncode == 1
    assert _list_alive(pids) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a parent-death signal")
@pytest.mark.integration
def test_nothing_survives_a_demo_that_is_killed(tmp_path: Path) -> None:
    with _demo(tmp_path) as process:
        pids = _read_demo_json(tmp_path)["pids"]
        process.kill()
    # A worker may take all its twenty seconds of grace: Postgres and Redis died under the prints it had begun.
    deadline = time.monotonic() + 40
    while _list_alive(pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _list_alive(pids) == []


@pytest.mark.integration
def test_without_a_chromium_pages_are_served_and_the_remedy_is_printed(tmp_path: Path) -> None:
    no_chromium = {"PATH": "/nonexistent", "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path)}
    offline = {"PLAYWRIGHT_DOWNLOAD_HOST": "http://127.0.0.1:9"}
    output: list[str] = []
    with _demo(tmp_path, environ=ENVIRON | no_chromium | offline, output=output) as process:
        paid = next(invoice for invoice in _read_demo_json(tmp_path)["invoices"] if "paid" in invoice["tags"])
        assert fetch_url(paid["url"]).status == 200
        later = fetch_url(f"{paid['url']}/invoice.pdf")
        assert later.status in {202, 503}
        assert b"This page tries again by itself." in later.body
        process.send_signal(signal.SIGINT)
        assert _read_output(process).endswith("Stopped.\n")
    assert "Without a Chromium pages can be read, but no PDF is made." in "".join(output)
    assert "Install Chromium or Google Chrome so that it is on PATH" in "".join(output)


@pytest.mark.integration
def test_check_ends_with_one_line_of_timings_and_leaves_nothing_behind() -> None:
    before = set((ROOT / ".portal").glob("check-*"))
    process = subprocess.run(
        _command("--check"), cwd=ROOT, env=ENVIRON, check=False, capture_output=True, text=True
    )
    assert (process.returncode, process.stderr) == (0, "")
    result = json.loads(process.stdout.splitlines()[-1])
    assert result["ok"] is True
    assert result["pages"] > 20
    assert result["pdfs"] > 20
    steps = {
        "chromium",
        "postgres",
        "redis",
        "migrate",
        "seed",
        "mailbox",
        "stripe",
        "processes",
        "pages",
        "pdfs",
    }
    assert set(result["seconds"]) == steps
    assert set((ROOT / ".portal").glob("check-*")) == before


def test_a_port_in_use_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = subprocess.run(
            _command("--state", tmp_path, "--port", str(port)),
            cwd=ROOT,
            env=ENVIRON,
            check=False,
            capture_output=True,
            text=True,
        )
    assert (process.returncode, f"Port {port} is in use. Choose another with --port" in process.stderr) == (
        1,
        True,
    )


def test_an_external_database_is_not_deleted(tmp_path: Path) -> None:
    process = subprocess.run(
        _command("--state", tmp_path, "--fresh"),
        cwd=ROOT,
        env=ENVIRON | {"PORTAL_DATABASE_URL": "postgresql://admin@127.0.0.1:1/theirs"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 1
    assert "drop that one yourself" in process.stderr


def test_an_unreachable_database_is_reported_in_one_sentence() -> None:
    process = subprocess.run(
        _command("--check"),
        cwd=ROOT,
        env=ENVIRON | {"PORTAL_DATABASE_URL": "postgresql://admin@127.0.0.1:1/theirs"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 1
    assert process.stderr.startswith("The database could not be prepared: ")
    assert "Traceback" not in process.stderr
    assert json.loads(process.stdout.splitlines()[-1])["ok"] is False
