import base64
import os
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from kernel.clock import FixedClock, SystemClock
from kernel.ids import WorkspaceId, new_id
from kernel.jobs import enqueue
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database, execute
from kernel.store.roles import Urls, build_database_url
from ops.doctor.finding import Finding
from ops.doctor.installation import examine
from tenants.workspaces.actions import create_workspace
from tenants.workspaces.jobs import PurgeReleasedDomains
from tenants.workspaces.profile import NewWorkspace
from tests.conftest import OPERATOR


async def _examine(environ: dict[str, str]) -> list[Finding]:
    """Return the findings, without those of assets and Chromium."""
    findings = await examine(environ, check_chromium=False)
    return [finding for finding in findings if "scripts and styles" not in finding.problem]


async def test_a_healthy_installation_has_no_finding_and_reports_what_passed(
    healthy: dict[str, str],
) -> None:
    passed: list[str] = []
    findings = await examine(healthy, report_passed=passed.append)
    assert [finding for finding in findings if "scripts and styles" not in finding.problem] == []
    blobs, fonts, chromium = passed
    assert blobs.startswith("Blobs can be written, read and deleted at ")
    assert "Portal Arabic" in fonts
    assert re.match(r"Chromium \d+\.[\d.]+ renders, (in|without) its own sandbox", chromium)
    assert ("as root" in chromium) == (os.geteuid() == 0)


async def test_a_misspelt_variable_is_named(healthy: dict[str, str]) -> None:
    (finding,) = await _examine(healthy | {"PORTAL_REDIS_ULR": "x"})
    assert "PORTAL_REDIS_ULR" in finding.problem


async def test_a_wrong_value_is_named_and_nothing_else_is_tried(healthy: dict[str, str]) -> None:
    (finding,) = await _examine(healthy | {"PORTAL_PORT": "eighty"})
    assert "PORTAL_PORT" in finding.problem


async def test_a_proxy_that_is_not_trusted_makes_all_visitors_one_address(healthy: dict[str, str]) -> None:
    del healthy["PORTAL_TRUSTED_PROXIES"]
    (finding,) = await _examine(healthy)
    assert finding.problem.startswith("PORTAL_TRUSTED_PROXIES is not set")
    assert "Set PORTAL_TRUSTED_PROXIES to the networks of that proxy" in finding.remedy
    # Over plain http, as in the demo, there need not be a proxy.
    assert await _examine(healthy | {"PORTAL_PUBLIC_SCHEME": "http"}) == []


async def test_production_without_a_mail_server(healthy: dict[str, str]) -> None:
    production = healthy | {
        "PORTAL_PROFILE": "production",
        "PORTAL_SECRET_KEYS": f"test:{base64.urlsafe_b64encode(bytes(range(32))).decode()}",
        "PORTAL_BASE_DOMAIN": "pay.example.com",
    }
    (finding,) = await _examine(production)
    assert finding.problem.startswith("No mail is sent")
    assert "PORTAL_SMTP_URL" in finding.remedy
    assert await _examine(production | {"PORTAL_SMTP_URL": "smtp://mail.example.com"}) == []


async def test_a_database_that_does_not_answer(healthy: dict[str, str]) -> None:
    (finding,) = await _examine(
        healthy | {"PORTAL_DATABASE_URL": "postgresql://portal_app@127.0.0.1:1/portal"}
    )
    assert "refuses the login of portal_app" in finding.problem
    assert "PORTAL_DATABASE_URL" in finding.remedy


async def test_a_role_that_row_level_security_does_not_hold(healthy: dict[str, str], admin_url: str) -> None:
    name = urlsplit(healthy["PORTAL_DATABASE_URL"]).path.strip("/")
    (finding,) = await _examine(healthy | {"PORTAL_DATABASE_URL": build_database_url(admin_url, name)})
    assert "row-level security does not hold" in finding.problem
    assert "portal_app" in finding.remedy


@pytest.mark.parametrize("other", ["portal_svc", "portal_owner"])
async def test_the_gateways_role_is_app_and_no_other_of_ours(healthy: dict[str, str], other: str) -> None:
    url = healthy["PORTAL_DATABASE_URL"].replace("portal_app", other)
    first, *_ = await _examine(healthy | {"PORTAL_DATABASE_URL": url})
    assert first == Finding(f"PORTAL_DATABASE_URL names the role {other}.", "Let it name portal_app.")


async def test_roles_that_were_mixed_up(healthy: dict[str, str]) -> None:
    (finding,) = await _examine(healthy | {"PORTAL_DATABASE_OWNER_URL": healthy["PORTAL_DATABASE_URL"]})
    assert finding == Finding(
        "PORTAL_DATABASE_OWNER_URL names the role portal_app.", "Let it name portal_owner."
    )


async def test_a_database_without_tables_and_one_that_is_behind(
    healthy: dict[str, str], scratch: Callable[..., Awaitable[Urls]]
) -> None:
    empty = await scratch()
    assert Finding("The database is empty.", "Run `portal migrate`.") in await _examine(
        healthy | {"PORTAL_DATABASE_URL": empty.app}
    )
    behind = await scratch(migrated=True)
    connection = await asyncpg.connect(behind.owner)
    await connection.execute("DELETE FROM schema_migration WHERE number > 1")
    await connection.close()
    (finding,) = await _examine(healthy | {"PORTAL_DATABASE_URL": behind.app})
    assert "is at migration 0001" in finding.problem


async def test_a_migration_that_was_passed_over(
    healthy: dict[str, str], scratch: Callable[..., Awaitable[Urls]]
) -> None:
    urls = await scratch(migrated=True)
    connection = await asyncpg.connect(urls.owner)
    await connection.execute("DELETE FROM schema_migration WHERE number = 1")
    await connection.close()
    (finding,) = await _examine(healthy | {"PORTAL_DATABASE_URL": urls.app})
    assert finding.problem == "The database does not match the migrations of this release."
    assert "0001_workspaces is not applied, but the later" in finding.remedy
    assert "Rename the file to" in finding.remedy


async def test_a_table_that_lost_its_policies(
    healthy: dict[str, str], scratch: Callable[..., Awaitable[Urls]]
) -> None:
    urls = await scratch(migrated=True)
    connection = await asyncpg.connect(urls.owner)
    await connection.execute("ALTER TABLE customer NO FORCE ROW LEVEL SECURITY")
    await connection.close()
    findings = await _examine(healthy | {"PORTAL_DATABASE_URL": urls.app})
    assert ["customer" in finding.problem for finding in findings] == [True]


async def test_a_key_that_was_taken_away(healthy: dict[str, str]) -> None:
    old, new = "old:" + "A" * 42 + "E=", "new:" + "B" * 42 + "E="
    settings = Settings.from_environ(healthy | {"PORTAL_SECRET_KEYS": old})
    database = await Database.open(settings.database_url, size=1, actor=OPERATOR)
    async with database.scope(WorkspaceId(new_id())):
        await create_workspace(
            NewWorkspace(slug="sealed", name="Sealed"),
            base_domain="localhost",
            reserved_hosts=(),
            sealer=Sealer(settings.secret_keys),
            clock=SystemClock(),
        )
    await database.close()
    (finding,) = await _examine(healthy | {"PORTAL_SECRET_KEYS": new})
    assert finding.problem == "PORTAL_SECRET_KEYS does not open what these workspaces have sealed: sealed."
    assert await _examine(healthy | {"PORTAL_SECRET_KEYS": f"{new},{old}"}) == []


async def test_redis_that_does_not_answer(healthy: dict[str, str]) -> None:
    (finding,) = await _examine(healthy | {"PORTAL_REDIS_URL": "redis://127.0.0.1:1/0"})
    assert "Redis does not answer" in finding.problem
    assert "Pages work without Redis" in finding.remedy


async def test_the_redis_of_the_jobs_is_looked_at_too(healthy: dict[str, str]) -> None:
    (finding,) = await _examine(healthy | {"PORTAL_JOBS_REDIS_URL": "redis://127.0.0.1:1/0"})
    assert finding.problem.startswith("Redis does not answer (PORTAL_JOBS_REDIS_URL)")
    assert finding.remedy == "Check PORTAL_JOBS_REDIS_URL. Jobs wait until it is back."


async def test_jobs_that_are_dead_or_late(healthy: dict[str, str]) -> None:
    database = await Database.open(healthy["PORTAL_DATABASE_URL"], size=1)
    async with database.scope(WorkspaceId(new_id())):
        await enqueue(PurgeReleasedDomains())
        await execute("UPDATE job SET state = 'dead', ended_at = now()")
        added = await enqueue(PurgeReleasedDomains(), queue="slow")
        await execute("UPDATE job SET run_at = now() - interval '10 minutes' WHERE job_id = $1", added.job_id)
    await database.close()
    late, dead = await _examine(healthy)
    assert re.fullmatch(r"The oldest job due in the queue slow has waited for 60\d s\.", late.problem)
    assert "a worker that serves slow" in late.remedy
    assert dead.problem == "Jobs are dead: 1 workspaces.purge_released_domains."
    assert "portal jobs list --state dead" in dead.remedy


async def test_blobs_that_cannot_be_kept(healthy: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (finding,) = await _examine(healthy | {"PORTAL_BLOBS_URL": str(tmp_path / "file" / "below")})
    assert finding.problem.startswith(f"Blobs cannot be written, read and deleted at {tmp_path}")
    assert "PORTAL_BLOBS_URL" in finding.remedy


async def test_clocks_that_disagree(healthy: dict[str, str]) -> None:
    clock = FixedClock(SystemClock().now() + timedelta(minutes=3))
    findings = [
        finding.problem
        for finding in await examine(healthy, clock=clock, check_chromium=False)
        if "clock" in finding.problem
    ]
    assert len(findings) == 1
    assert findings[0].startswith("This machine's clock and the database's differ by ")
