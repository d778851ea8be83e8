"""The results of the benchmarks, and the processor time and memory of processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ops.bench.page_pdf_comparison import Comparison, read_summary
from ops.bench.resource_usage import list_descendants, read_private_bytes
from ops.bench.result import Row, report

# A child starts a grandchild that works for 0.4 s of processor time, and ends without waiting for it.
ORPHANED = """
import subprocess, sys, time
from ops.bench.resource_usage import become_subreaper, read_cpu_seconds
if sys.argv[1] == "subreaper":
    become_subreaper()
work = "import time\\nwhile time.process_time() < 0.4: pass"
before = read_cpu_seconds()
begun = subprocess.run(
    ["sh", "-c", '"$0" -I -c "$1" </dev/null >/dev/null 2>&1 & echo $!', sys.executable, work],
    check=True, capture_output=True, text=True,
)
deadline = time.monotonic() + 20
while time.monotonic() < deadline:
    try:
        with open(f"/proc/{begun.stdout.strip()}/stat") as stat:
            if stat.read().rpartition(")")[2].split()[0] == "Z":
                break
    except OSError:
        break
    time.sleep(0.02)
print(read_cpu_seconds() - before)
"""


def test_a_target_is_a_minimum_or_a_maximum() -> None:
    assert [Row("a", value, 2.0).is_reached for value in (1.9, 2.0, 2.1, None)] == [False, True, True, False]
    rows = [Row("a", value, 2.0, at_most=True) for value in (1.9, 2.0, 2.1, None)]
    assert [row.is_reached for row in rows] == [True, True, False, False]


def test_the_last_line_is_for_machines_and_a_missed_target_is_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [Row("fast", 3.0004, 2.0), Row("late", 0.2, 0.5, at_most=True)]
    assert report(rows) == 0
    assert report([*rows, Row("other", None, 8.0, reason="there is no Pango")]) == 1
    text = capsys.readouterr().out
    assert "other       –  target >= 8.00  NOT MEASURED: there is no Pango" in text
    last = text.splitlines()[-1]
    assert last.startswith("RESULT ")
    assert json.loads(last.removeprefix("RESULT ")) == {
        "fast": {"value": 3.0, "target": 2.0, "ok": True},
        "late": {"value": 0.2, "target": 0.5, "ok": True},
        "other": {"value": None, "target": 8.0, "ok": False},
    }


def test_an_invoice_that_could_not_be_compared_counts_as_different() -> None:
    assert read_summary("..\n2 passed, 31 deselected in 20.1s\n") == Comparison(0)
    assert read_summary("F.\n1 failed, 1 passed, 31 deselected in 20.1s") == Comparison(1)
    assert read_summary("E.\n1 passed, 31 deselected, 1 error in 20.1s") == Comparison(1)
    assert read_summary("\n33 deselected in 0.10s") == Comparison(None, "33 deselected in 0.10s")
    assert read_summary("") == Comparison(None, "pytest printed nothing")


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
@pytest.mark.parametrize("how", ["subreaper", "plain"])
def test_the_time_of_an_orphan_is_counted_by_a_subreaper(how: str) -> None:
    script = [sys.executable, "-c", ORPHANED, how]
    done = subprocess.run(script, check=True, capture_output=True, text=True)
    assert (float(done.stdout) > 0.3) is (how == "subreaper")


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_processes_below_are_found_with_their_memory() -> None:
    grab = "block = bytearray(b'x' * (64 << 20)); print(len(block), flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", grab], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child:
        assert child.stdout.readline() == f"{64 << 20}\n"
        assert child.pid in list_descendants(os.getpid())
        assert 64 << 20 < read_private_bytes([child.pid]) < 90 << 20
        child.stdin.close()
    assert read_private_bytes([child.pid]) == 0
