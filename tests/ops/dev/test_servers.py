import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from ops.dev import servers
from ops.dev.server_files import ServerFailed

ROOT = Path(__file__).resolve().parents[3]


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split(") ")[1][0] != "Z"
    except OSError:
        return False


async def test_rows_survive_a_restart_of_postgres(tmp_path: Path) -> None:
    for number in (1, 2):
        url = servers.start_postgres(tmp_path, environ={})
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE IF NOT EXISTS start (number int)")
        await connection.execute("INSERT INTO start VALUES ($1)", number)
        count = await connection.fetchval("SELECT count(*) FROM start")
        await connection.close()
        servers.stop_postgres(tmp_path)
        assert count == number


async def test_postgres_is_reached_through_a_socket_of_its_own_and_never_by_network(tmp_path: Path) -> None:
    connection = await asyncpg.connect(servers.start_postgres(tmp_path, durable=False, environ={}))
    try:
        assert await connection.fetchval("SELECT current_setting('listen_addresses')") == ""
        assert await connection.fetchval("SELECT inet_server_addr()") is None
    finally:
        await connection.close()
        servers.stop_postgres(tmp_path)
    assert (tmp_path / "postgres").stat().st_mode & 0o077 == 0


async def test_redis_answers_and_stops(tmp_path: Path) -> None:
    url = servers.start_redis(tmp_path, environ={})
    pid = servers.find_pid(tmp_path, "redis")
    assert pid is not None
    client = redis.asyncio.from_url(url)
    assert await client.ping() is True
    await client.aclose()
    servers.stop_redis(tmp_path)
    assert not _is_alive(pid)
    assert servers.find_pid(tmp_path, "redis") is None


def test_starting_twice_gives_the_same_server(tmp_path: Path) -> None:
    first = servers.start_redis(tmp_path, environ={}), servers.find_pid(tmp_path, "redis")
    second = servers.start_redis(tmp_path, environ={}), servers.find_pid(tmp_path, "redis")
    servers.stop_redis(tmp_path)
    assert first == second


def test_a_path_too_long_for_a_socket_works(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    url = servers.start_redis(deep, environ={})
    servers.stop_redis(deep)
    assert str(deep) not in url
    assert not Path(url.removeprefix("unix://").partition("?")[0]).parent.exists()


def test_external_servers_are_used_and_none_is_started(tmp_path: Path) -> None:
    environ = {"PORTAL_DATABASE_URL": "postgresql://admin@db/x", "PORTAL_REDIS_URL": "redis://cache/3"}
    assert servers.start_postgres(tmp_path, environ=environ) == "postgresql://admin@db/x"
    assert servers.start_redis(tmp_path, environ=environ) == "redis://cache/3"
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_cannot_start_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    servers.start_postgres(tmp_path, environ={})
    servers.stop_postgres(tmp_path)
    (tmp_path / "postgres" / "postgresql.conf").write_text("no_such_setting = on\n", encoding="ascii")
    with pytest.raises(ServerFailed, match="no_such_setting"):
        servers.start_postgres(tmp_path, environ={})


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a parent-death signal")
def test_servers_end_with_the_process_that_started_them_even_when_it_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from ops.dev import servers; state = Path(sys.argv[1])\n"
        "servers.start_postgres(state, durable=False, environ={}); servers.start_redis(state, environ={})\n"
        "print(servers.find_pid(state, 'postgres'), servers.find_pid(state, 'redis'), flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(_is_alive(pid) for pid in pids)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(_is_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in pids if _is_alive(pid)] == []
    # The next start can use the folder.
    servers.start_postgres(tmp_path, environ={})
    servers.stop_postgres(tmp_path)
