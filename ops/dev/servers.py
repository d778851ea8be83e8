"""Starts and stops the real Postgres and Redis of the demo and the tests, unless the environment names others."""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ops.dev.child_processes import bind_to_parent, describe_exit, read_log_end, stop_process
from ops.dev.server_files import (
    ServerFailed,
    build_initdb_command,
    choose_postgres_user,
    find_orphan,
    find_postgres_binaries,
    find_redis_binary,
    grant_folder_access,
    read_postmaster_status,
)

SOCKET_PATH_LIMIT = 100  # bytes; sun_path holds 104 (macOS) or 108 (Linux) with the terminating zero
STARTUP_SECONDS = 60.0
STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class _Server:
    name: str
    process: subprocess.Popen[bytes]
    stop_signal: signal.Signals
    sockets: Path
    log: Path


# The servers that this process has started, by data folder.
_servers: dict[Path, _Server] = {}


def start_postgres(state: Path, *, durable: bool = True, environ: Mapping[str, str] = os.environ) -> str:
    """Start a Postgres with its data in `state`/postgres; returns the URL of its superuser.

    With PORTAL_DATABASE_URL set, that URL is returned and nothing is started; it must belong to a role that may
    create roles and databases. `durable=False` gives up crash safety for speed: for tests only.
    Raises ServerFailed.
    """
    if external := environ.get("PORTAL_DATABASE_URL"):
        return external
    state = _create_state_folder(state)
    data, sockets, log = state / "postgres", _create_socket_folder(state), state / "postgres.log"
    if data in _servers:
        return _build_postgres_url(_servers[data].sockets)
    binaries = find_postgres_binaries()
    user = choose_postgres_user()
    if user is not None:
        grant_folder_access(user, data, sockets, binaries)
    _stop_orphan(data, "postmaster.pid")
    if not (data / "PG_VERSION").exists():
        _create_data_folder(binaries, data, log, user)
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
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
    _servers[data] = _Server("Postgres", process, signal.SIGINT, sockets, log)
    _wait_until_ready(lambda: read_postmaster_status(data) == "ready", data)
    return _build_postgres_url(sockets)


def start_redis(state: Path, *, environ: Mapping[str, str] = os.environ) -> str:
    """Start a Redis on a socket in `state`, without persistence; returns its URL.

    With PORTAL_REDIS_URL set, that URL is returned and nothing is started. Raises ServerFailed.
    """
    if external := environ.get("PORTAL_REDIS_URL"):
        return external
    state = _create_state_folder(state)
    data, log = state / "redis", state / "redis.log"
    if data in _servers:
        return _build_redis_url(_servers[data].sockets)
    data.mkdir(exist_ok=True)
    sockets = _create_socket_folder(state)
    _stop_orphan(data, "redis.pid")
    (sockets / "redis.sock").unlink(missing_ok=True)
    settings = {
        "--port": "0",
        "--unixsocket": str(sockets / "redis.sock"),
        "--dir": str(data),
        "--save": "",
        "--appendonly": "no",
        "--maxmemory-policy": "noeviction",
        "--pidfile": str(data / "redis.pid"),
    }
    command = [find_redis_binary(), *[part for pair in settings.items() for part in pair]]
    process = _spawn(command, log, signal.SIGTERM, None)
    _servers[data] = _Server("Redis", process, signal.SIGTERM, sockets, log)
    _wait_until_ready((sockets / "redis.sock").exists, data)
    return _build_redis_url(sockets)


def stop_postgres(state: Path) -> None:
    """Stop the Postgres that this process started for the state folder, if any."""
    _stop(state.resolve() / "postgres")


def stop_redis(state: Path) -> None:
    """Stop the Redis that this process started for the state folder, if any."""
    _stop(state.resolve() / "redis")


def find_pid(state: Path, name: str) -> int | None:
    """Return the process id of "postgres" or "redis" if this process started it for the state folder."""
    server = _servers.get(state.resolve() / name)
    return server.process.pid if server else None


def raise_if_ended(state: Path) -> None:
    """Raise ServerFailed when a server that this process started for the state folder has ended."""
    for data, server in _servers.items():
        if data.parent == state.resolve() and (code := server.process.poll()) is not None:
            raise _build_error(server, describe_exit(code))


@atexit.register
def stop_all() -> None:
    """Stop every server that this process started."""
    for data in list(_servers):
        _stop(data)


def _spawn(
    command: Sequence[str], log: Path, stop_signal: signal.Signals, user: str | None
) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        # Its own session: Ctrl-C at the terminal must reach this process alone, which then stops things in order.
        return subprocess.Popen(
            bind_to_parent(command, stop_signal=stop_signal, user=user),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd="/",
            start_new_session=True,
        )


def _create_data_folder(binaries: Path, data: Path, log: Path, user: str | None) -> None:
    process = _spawn(build_initdb_command(binaries, data), log, signal.SIGTERM, user)
    if process.wait() != 0:
        message = f"initdb could not create the data folder {data}:\n{read_log_end(log)}"
        raise ServerFailed(message)


def _stop(data: Path) -> None:
    server = _servers.pop(data, None)
    if server is None:
        return
    stop_process(server.process, server.stop_signal, STOP_SECONDS)
    if not server.sockets.is_relative_to(data.parent):
        shutil.rmtree(server.sockets, ignore_errors=True)


def _stop_orphan(data: Path, pid_file: str) -> None:
    """Stop the server of an earlier run whose parent was killed before it could stop it."""
    pid = find_orphan(data, pid_file)
    if pid is None:
        return
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + STOP_SECONDS
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)


def _create_state_folder(state: Path) -> Path:
    state = state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    return state


def _create_socket_folder(state: Path) -> Path:
    """Return `state`/run, or a temporary folder when the path would be too long for a socket."""
    sockets = state / "run"
    if len(os.fsencode(sockets / ".s.PGSQL.5432")) > SOCKET_PATH_LIMIT:
        existing = next((server.sockets for data, server in _servers.items() if data.parent == state), None)
        return existing or Path(tempfile.mkdtemp(prefix="portal-run-"))
    sockets.mkdir(exist_ok=True, mode=0o700)
    return sockets


def _build_postgres_url(sockets: Path) -> str:
    return f"postgresql://postgres@/postgres?host={quote(str(sockets))}"


def _build_redis_url(sockets: Path) -> str:
    return f"unix://{quote(str(sockets / 'redis.sock'))}?db=0"


def _wait_until_ready(is_ready: Callable[[], bool], data: Path) -> None:
    server = _servers[data]
    deadline = time.monotonic() + STARTUP_SECONDS
    while not is_ready():
        code = server.process.poll()
        if code is None and time.monotonic() < deadline:
            time.sleep(0.02)
            continue
        _stop(data)
        late = f"did not become ready within {STARTUP_SECONDS:.0f} s"
        raise _build_error(server, late if code is None else describe_exit(code))


def _build_error(server: _Server, reason: str) -> ServerFailed:
    return ServerFailed(
        f"{server.name} {reason}. The end of its log {server.log}:\n{read_log_end(server.log)}"
    )
