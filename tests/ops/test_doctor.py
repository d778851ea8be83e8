from collections.abc import Awaitable, Callable
from datetime import timedelta
from urllib.parse import urlsplit

import asyncpg
import pytest

from kernel.clock import FixedClock, SystemClock
from kernel.ids import WorkspaceId, new_id
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database
from kernel.store.roles import Urls, url_as
from ops.doctor import Finding, examine
from tenants.workspaces.actions import create_workspace
from tenants.workspaces.profile import NewWorkspace


@pytest.fixture
async def healthy(scratch: Callable[..., Awaitable[Urls]], redis_url: str) -> dict[str, str]:
    """The environment of an installation of its own that has nothing wrong."""
    urls = await scratch(migrated=True)
    return {
        "PORTAL_PROFILE": "test",
        "PORTAL_DATABASE_URL": urls.app,
        "PORTAL_DATABASE_OWNER_URL": urls.owner,
        "PORTAL_DATABASE_SVC_URL": urls.svc,
        "PORTAL_REDIS_URL": redis_url,
    }


async def _found(environ: dict[str, str]) -> list[Finding]:
    """What the doctor says, but for the assets: whether they are built is not what these stories are about."""
    return [finding for finding in await examine(environ) if "scripts and styles" not in finding.what]


async def test_a_healthy_installation_has_no_finding(healthy: dict[str, str]) -> None:
    assert await _found(healthy) == []


async def test_a_misspelt_variable_is_named(healthy: dict[str, str]) -> None:
    (finding,) = await _found(healthy | {"PORTAL_REDIS_ULR": "x"})
    assert "PORTAL_REDIS_ULR" in finding.what


async def test_a_wrong_value_is_named_and_nothing_else_is_tried(healthy: dict[str, str]) -> None:
    (finding,) = await _found(healthy | {"PORTAL_PORT": "eighty"})
    assert "PORTAL_PORT" in finding.what


async def test_a_database_that_does_not_answer(healthy: dict[str, str]) -> None:
    (finding,) = await _found(healthy | {"PORTAL_DATABASE_URL": "postgresql://portal_app@127.0.0.1:1/portal"})
    assert "does not let portal_app in" in finding.what
    assert "PORTAL_DATABASE_URL" in finding.cure


async def test_a_role_that_row_level_security_does_not_hold(healthy: dict[str, str], admin_url: str) -> None:
    name = urlsplit(healthy["PORTAL_DATABASE_URL"]).path.strip("/")
    (finding,) = await _found(healthy | {"PORTAL_DATABASE_URL": url_as(admin_url, name)})
    assert "row-level security does not hold" in finding.what
    assert "portal_app" in finding.cure


@pytest.mark.parametrize("other", ["portal_svc", "portal_owner"])
async def test_the_gateways_role_is_app_and_no_other_of_ours(healthy: dict[str, str], other: str) -> None:
    url = healthy["PORTAL_DATABASE_URL"].replace("portal_app", other)
    first, *_ = await _found(healthy | {"PORTAL_DATABASE_URL": url})
    assert first == Finding(f"PORTAL_DATABASE_URL names the role {other}.", "Let it name portal_app.")


async def test_roles_that_were_mixed_up(healthy: dict[str, str]) -> None:
    (finding,) = await _found(healthy | {"PORTAL_DATABASE_OWNER_URL": healthy["PORTAL_DATABASE_URL"]})
    assert finding == Finding(
        "PORTAL_DATABASE_OWNER_URL names the role portal_app.", "Let it name portal_owner."
    )


async def test_a_database_without_tables_and_one_that_is_behind(
    healthy: dict[str, str], scratch: Callable[..., Awaitable[Urls]]
) -> None:
    empty = await scratch()
    assert Finding("The database is empty.", "Run `portal migrate`.") in await _found(
        healthy | {"PORTAL_DATABASE_URL": empty.app}
    )
    behind = await scratch(migrated=True)
    connection = await asyncpg.connect(behind.owner)
    await connection.execute("DELETE FROM schema_migration WHERE number > 1")
    await connection.close()
    (finding,) = await _found(healthy | {"PORTAL_DATABASE_URL": behind.app})
    assert "is at migration 0001" in finding.what


async def test_a_table_that_lost_its_policies(
    healthy: dict[str, str], scratch: Callable[..., Awaitable[Urls]]
) -> None:
    urls = await scratch(migrated=True)
    connection = await asyncpg.connect(urls.owner)
    await connection.execute("ALTER TABLE customer NO FORCE ROW LEVEL SECURITY")
    await connection.close()
    findings = await _found(healthy | {"PORTAL_DATABASE_URL": urls.app})
    assert ["customer" in finding.what for finding in findings] == [True]


async def test_a_key_that_was_taken_away(healthy: dict[str, str]) -> None:
    old, new = "old:" + "A" * 42 + "E=", "new:" + "B" * 42 + "E="
    settings = Settings.from_environ(healthy | {"PORTAL_SECRET_KEYS": old})
    database = await Database.open(settings.database_url, size=1)
    async with database.scope(WorkspaceId(new_id())):
        await create_workspace(
            NewWorkspace(slug="sealed", name="Sealed"),
            base_domain="localhost",
            sealer=Sealer(settings.secret_keys),
            clock=SystemClock(),
        )
    await database.close()
    (finding,) = await _found(healthy | {"PORTAL_SECRET_KEYS": new})
    assert finding.what == "PORTAL_SECRET_KEYS does not open what these workspaces have sealed: sealed."
    assert await _found(healthy | {"PORTAL_SECRET_KEYS": f"{new},{old}"}) == []


async def test_redis_that_does_not_answer(healthy: dict[str, str]) -> None:
    (finding,) = await _found(healthy | {"PORTAL_REDIS_URL": "redis://127.0.0.1:1/0"})
    assert "Redis does not answer" in finding.what
    assert "Pages work without Redis" in finding.cure


async def test_clocks_that_disagree(healthy: dict[str, str]) -> None:
    clock = FixedClock(SystemClock().now() + timedelta(minutes=3))
    findings = [finding.what for finding in await examine(healthy, clock=clock) if "clock" in finding.what]
    assert len(findings) == 1
    assert findings[0].startswith("This machine's clock and the database's differ by ")
