"""Real Postgres and Redis, started once a run; a migrated template database, and a copy for each pytest worker."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog

from kernel.actor import Actor, ActorKind
from kernel.clock import FixedClock, SystemClock
from kernel.ids import new_id
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database
from kernel.store.roles import Urls, drop_database, provision
from ops.dev.servers import start_postgres, start_redis, stop_postgres, stop_redis
from ops.sandbox.mailbox import Mailbox
from tenants import schema
from tenants.workspaces.actions import create_workspace
from tenants.workspaces.profile import NewWorkspace, WorkspaceProfile

NewWorkspaceFixture = Callable[..., Awaitable[WorkspaceProfile]]

# No deadline: the time of an example depends on the other load of the machine.
hypothesis.settings.register_profile(
    "portal", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("portal")

# structlog's own choice, rich tracebacks with the source and variables of each frame, takes a second for each.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)

TEMPLATE = "portal_test_template"
OPERATOR = Actor(ActorKind.OPERATOR, "tests")
NOW = datetime(2026, 3, 16, 9, 30, tzinfo=UTC)
_SERVERS = pytest.StashKey["Servers"]()


@dataclass(slots=True)
class Servers:
    """The servers of this run, and where the migrated template is."""

    admin_url: str
    redis_url: str
    state: Path | None = None


def _start_servers() -> Servers:
    state = Path(tempfile.mkdtemp(prefix="portal-test-"))
    admin_url, redis_url = start_postgres(state, durable=False), start_redis(state)

    async def prepare_template() -> None:
        await drop_database(admin_url, TEMPLATE)
        urls = await provision(admin_url, TEMPLATE)
        await schema.migrate(urls.owner)

    asyncio.run(prepare_template())
    return Servers(admin_url, redis_url, state)


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers in the controller of pytest-xdist; its workers get their URLs."""
    worker_input: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker_input is not None:
        config.stash[_SERVERS] = Servers(worker_input["admin_url"], worker_input["redis_url"])
    elif config.getoption("numprocesses", None) and not config.getoption("collectonly"):
        config.stash[_SERVERS] = _start_servers()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the URLs of the servers to a parallel worker."""
    servers = node.config.stash[_SERVERS]
    node.workerinput |= {"admin_url": servers.admin_url, "redis_url": servers.redis_url}


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what this process started."""
    servers = config.stash.get(_SERVERS, None)
    if servers is not None and servers.state is not None:
        stop_postgres(servers.state)
        stop_redis(servers.state)
        shutil.rmtree(servers.state, ignore_errors=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Take modules and tests, a million objects that stay to the end, out of what garbage collections walk through."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Servers:
    """Return the running servers; alone, without parallel workers, the first test that asks starts them."""
    if _SERVERS not in pytestconfig.stash:
        pytestconfig.stash[_SERVERS] = _start_servers()
    return pytestconfig.stash[_SERVERS]


@pytest.fixture(scope="session")
def admin_url(servers: Servers) -> str:
    """Url of a role that may make roles and databases: for tests of provisioning and negative controls."""
    return servers.admin_url


@pytest.fixture(scope="session")
def redis_url(servers: Servers) -> str:
    """Url of a real Redis that all workers share: keys need a prefix of the test's own."""
    return servers.redis_url


@pytest.fixture(scope="session")
def worker_name() -> str:
    """Name of this parallel worker: part of the names of what it must not share."""
    return os.environ.get("PYTEST_XDIST_WORKER", "alone")


@pytest.fixture(scope="session")
async def urls(servers: Servers, worker_name: str) -> AsyncIterator[Urls]:
    """Urls of this worker's own migrated database as owner, app and svc."""
    name = f"portal_test_{worker_name}"
    await drop_database(servers.admin_url, name)
    yield await provision(servers.admin_url, name, template=TEMPLATE)
    await drop_database(servers.admin_url, name)


@pytest.fixture(scope="session")
def owner_url(urls: Urls) -> str:
    """Url of this worker's database as the role of the migrations."""
    return urls.owner


@pytest.fixture(scope="session")
async def _app_database(urls: Urls) -> AsyncIterator[Database]:
    database = await Database.open(urls.app, size=5, name="tests", acquire_timeout_s=5, actor=OPERATOR)
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def _svc_database(urls: Urls) -> AsyncIterator[Database]:
    database = await Database.open(urls.svc, size=2, name="tests svc", acquire_timeout_s=5)
    yield database
    await database.close()


@pytest.fixture
def database(_app_database: Database) -> Iterator[Database]:
    """The worker's database as role app, as the gateway has it; no test may leave a connection in use."""
    yield _app_database
    assert _app_database.in_use == 0


@pytest.fixture
def svc(_svc_database: Database) -> Iterator[Database]:
    """The same database as role svc, which sees every workspace."""
    yield _svc_database
    assert _svc_database.in_use == 0


@pytest.fixture
async def scratch(servers: Servers, worker_name: str) -> AsyncIterator[Callable[..., Awaitable[Urls]]]:
    """Make a database for one test: empty (`await scratch()`) or like the migrated one (`migrated=True`)."""
    names: list[str] = []

    async def make(*, migrated: bool = False) -> Urls:
        names.append(f"portal_scratch_{worker_name}_{len(names)}")
        await drop_database(servers.admin_url, names[-1])
        return await provision(servers.admin_url, names[-1], template=TEMPLATE if migrated else None)

    yield make
    for name in names:
        await drop_database(servers.admin_url, name)


@pytest.fixture
def restore_logging() -> Iterator[None]:
    """Restore how lines are logged, for tests of what configures it for its process."""
    root = logging.getLogger()
    handlers, level, configuration = list(root.handlers), root.level, structlog.get_config()
    yield
    structlog.configure(**configuration)
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at a Monday morning in March until a test moves it."""
    return FixedClock(NOW)


@pytest.fixture
def settings(urls: Urls, redis_url: str) -> Settings:
    """Settings of a process under test, with this worker's database."""
    return Settings.from_environ(
        {
            "PORTAL_PROFILE": "test",
            "PORTAL_DATABASE_URL": urls.app,
            "PORTAL_DATABASE_OWNER_URL": urls.owner,
            "PORTAL_DATABASE_SVC_URL": urls.svc,
            "PORTAL_REDIS_URL": redis_url,
            "PORTAL_PUBLIC_SCHEME": "http",
        }
    )


@pytest.fixture
def new_workspace(database: Database, settings: Settings) -> NewWorkspaceFixture:
    """Make one more workspace, `await new_workspace(name=..., locale=...)`, with a slug and host of its own."""

    async def make(slug: str | None = None, **values: str) -> WorkspaceProfile:
        new = NewWorkspace(slug or f"test-{new_id().hex[:12]}", **({"name": "Test Works"} | values))
        async with database.scope(new_id()):
            return await create_workspace(
                new,
                base_domain=settings.base_domain,
                reserved_hosts=settings.reserved_hosts,
                sealer=Sealer(settings.secret_keys),
                clock=SystemClock(),
            )

    return make


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A real mail server that keeps what it gets, and misbehaves as the test asks."""
    mailbox = Mailbox().start()
    yield mailbox
    mailbox.stop()
