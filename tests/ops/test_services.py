import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from ops import services

ROOT = Path(__file__).resolve().parents[2]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split(") ")[1][0] != "Z"
    except OSError:
        return False


async def test_postgres_keeps_its_rows_from_one_start_to_the_next(tmp_path: Path) -> None:
    for turn in (1, 2):
        url = services.start_postgres(tmp_path, environ={})
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE IF NOT EXISTS kept (turn int)")
        await connection.execute("INSERT INTO kept VALUES ($1)", turn)
        count = await connection.fetchval("SELECT count(*) FROM kept")
        await connection.close()
        services.stop_postgres(tmp_path)
        assert count == turn


async def test_postgres_is_reached_through_a_socket_of_its_own_and_never_by_network(tmp_path: Path) -> None:
    connection = await asyncpg.connect(services.start_postgres(tmp_path, durable=False, environ={}))
    try:
        assert await connection.fetchval("SELECT current_setting('listen_addresses')") == ""
        assert await connection.fetchval("SELECT inet_server_addr()") is None
    finally:
        await connection.close()
        services.stop_postgres(tmp_path)
    assert (tmp_path / "postgres").stat().st_mode & 0o077 == 0


async def test_redis_answers_and_stops(tmp_path: Path) -> None:
    url = services.start_redis(tmp_path, environ={})
    pid = services.pid_of(tmp_path, "redis")
    assert pid is not None
    client = redis.asyncio.from_url(url)
    assert await client.ping() is True
    await client.aclose()
    services.stop_redis(tmp_path)
    assert not _alive(pid)
    assert services.pid_of(tmp_path, "redis") is None


def test_starting_twice_gives_the_same_server(tmp_path: Path) -> None:
    first = services.start_redis(tmp_path, environ={}), services.pid_of(tmp_path, "redis")
    second = services.start_redis(tmp_path, environ={}), services.pid_of(tmp_path, "redis")
    services.stop_redis(tmp_path)
    assert first == second


def test_a_folder_too_deep_for_a_socket_still_works(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    url = services.start_redis(deep, environ={})
    services.stop_redis(deep)
    assert str(deep) not in url
    assert not Path(url.removeprefix("unix://").partition("?")[0]).parent.exists()


def test_servers_that_are_named_are_used_and_none_is_started(tmp_path: Path) -> None:
    environ = {"PORTAL_DATABASE_URL": "postgresql://admin@db/x", "PORTAL_REDIS_URL": "redis://cache/3"}
    assert services.start_postgres(tmp_path, environ=environ) == "postgresql://admin@db/x"
    assert services.start_redis(tmp_path, environ=environ) == "redis://cache/3"
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_cannot_start_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    services.start_postgres(tmp_path, environ={})
    services.stop_postgres(tmp_path)
    (tmp_path / "postgres" / "postgresql.conf").write_text("no_such_setting = on\n", encoding="ascii")
    with pytest.raises(services.ServiceFailed, match="no_such_setting"):
        services.start_postgres(tmp_path, environ={})


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_servers_end_with_the_process_that_started_them_even_when_it_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from ops import services; state = Path(sys.argv[1])\n"
        "services.start_postgres(state, durable=False, environ={}); services.start_redis(state, environ={})\n"
        "print(services.pid_of(state, 'postgres'), services.pid_of(state, 'redis'), flush=True); time.sleep(60)\n"
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
        assert all(_alive(pid) for pid in pids)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in pids if _alive(pid)] == []
    # And the next start finds a folder it can use.
    services.start_postgres(tmp_path, environ={})
    services.stop_postgres(tmp_path)
