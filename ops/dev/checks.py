"""What ops/test runs: linters, formatters, type checkers, import contracts, vitest, then pytest in parallel."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "web" / "assets"
MEMORY = Path("/dev/shm")  # noqa: S108  -- a folder of our own is made in it
MIN_FREE_BYTES = 2 << 30
HELP = """\
usage: ops/test [--no-checks | --checks-only | --integration] [pytest arguments]

Sets this folder up, then runs in this order: ruff check, ruff format --check, mypy, basedpyright, lint-imports,
TypeScript's checker, biome (linter and formatter of scripts and styles), vitest (unit tests of the scripts), and
pytest with three workers, because some tests wait. Everything runs even when something before it has failed; the
exit code is 0 only when all of it passed.

  --no-checks    only pytest
  --checks-only  only what is before them
  --integration  only the tests marked "integration", which the others leave out: they make an environment of their
                 own (a fresh copy of this folder with its packages) and take minutes
  anything else  goes to pytest as it is: ops/test tests/web -k isolation -x
                 (-n 0 runs without parallel workers, as a debugger wants it)
"""


@dataclass(frozen=True, slots=True)
class Check:
    """One tool that checks the code without running it."""

    name: str
    command: tuple[str, ...]
    folder: Path = ROOT


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of a check."""

    name: str
    code: int
    output: str
    seconds: float


_OPTIONS = frozenset({"--no-checks", "--checks-only", "--integration"})
CHECKS = (
    Check("ruff check", ("ruff", "check", ".")),
    Check("ruff format", ("ruff", "format", "--check", ".")),
    Check("mypy", ("mypy",)),
    Check("basedpyright", ("basedpyright", "--warnings")),
    Check("lint-imports", ("lint-imports", "--no-logo")),
    Check("typescript", ("npm", "run", "--silent", "typecheck"), ASSETS),
    Check("biome", ("npm", "run", "--silent", "lint"), ASSETS),
    Check("vitest", ("npm", "run", "--silent", "test"), ASSETS),
)


def main(arguments: Sequence[str]) -> int:
    """Run the checks and the tests; returns the exit code."""
    if set(arguments) & {"-h", "--help"}:
        print(HELP)
        return 0
    os.chdir(ROOT)
    for_pytest = [argument for argument in arguments if argument not in _OPTIONS]
    if "--integration" in arguments:
        return run_tests(select_integration(for_pytest), memory=None)
    failed = [] if "--no-checks" in arguments else run_checks(CHECKS)
    if "--checks-only" not in arguments and run_tests(for_pytest) != 0:
        failed.append("pytest")
    if failed:
        print(f"\nFailed: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


def run_checks(checks: Sequence[Check]) -> list[str]:
    """Run the checks two at a time, print their results in order; returns the names of those that failed."""
    failed: list[str] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for result in pool.map(_run_check, checks):
            status = "ok" if result.code == 0 else "FAILED"
            print(f"· {result.name}: {status} ({result.seconds:.1f} s)", flush=True)
            if result.code != 0:
                print(result.output, flush=True)
                failed.append(result.name)
    return failed


def select_integration(arguments: Sequence[str]) -> list[str]:
    """Return arguments for pytest that select the integration tests, one after another: each is heavy."""
    return ["-m", "integration", "-n", "0", *arguments]


def run_tests(arguments: Sequence[str], *, memory: Path | None = MEMORY) -> int:
    """Find or install a Chromium, then run pytest, in parallel unless the arguments choose otherwise.

    `memory` is the folder in memory for the temporary files, where it has room; None: they are where they always are.
    """
    from ops.dev import chromium  # noqa: PLC0415  -- `ops/test --help` runs before anything is installed

    try:
        print(
            f"· Chromium: {chromium.find_or_install(lambda text: print(f'· {text}', flush=True))}", flush=True
        )
    except chromium.ChromiumMissing as error:
        print(f"· Chromium: FAILED\n{error}", flush=True)
        return 1
    has_mode = any(argument.startswith(("-n", "--numprocesses", "--pdb", "--co")) for argument in arguments)
    parallel = [] if has_mode else ["-n", "3", "--dist", "worksteal"]
    command = [sys.executable, "-m", "pytest", *parallel, *arguments]
    with create_folder_in_memory(memory) as folder:
        environ = os.environ | ({"TMPDIR": str(folder)} if folder else {})
        return subprocess.run(command, check=False, env=environ).returncode


@contextmanager
def create_folder_in_memory(memory: Path | None) -> Iterator[Path | None]:
    """Create a folder for temporary files; None where memory has no room or nothing in it may be executed.

    The tests make a hundred databases, browser profiles and blobs that nobody needs a moment later. On some disks
    each file costs a millisecond of processor time, which is a tenth of the run.
    """
    if memory is None or not _is_suitable(memory):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="portal-", dir=memory, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # As /tmp is: some programs under test run as another user.
        folder.chmod(0o1777)
        yield folder


def _is_suitable(memory: Path) -> bool:
    try:
        is_executable = not os.statvfs(memory).f_flag & os.ST_NOEXEC
        return is_executable and shutil.disk_usage(memory).free >= MIN_FREE_BYTES
    except OSError:
        return False


def _run_check(check: Check) -> CheckResult:
    started_at = time.monotonic()
    process = subprocess.run(
        check.command,
        cwd=check.folder,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return CheckResult(check.name, process.returncode, process.stdout, time.monotonic() - started_at)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
