import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from kernel.clock import FixedClock, SystemClock
from kernel.ids import WorkspaceId, new_id
from kernel.jobs import enqueue
from kernel.seals import Sealer
from kernel.settings import Profile, Settings
from kernel.store import Database, execute
from kernel.store.roles import Urls, url_as
from ops import printing_check
from ops.doctor import examine
from ops.finding import Finding
from tenants.workspaces.actions import create_workspace
from tenants.workspaces.jobs import ForgetReleasedDomains
from tenants.workspaces.profile import NewWorkspace


@pytest.fixture
async def healthy(scratch: Callable[..., Awaitable[Urls]], redis_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of an installation of its own that has nothing wrong."""
    urls = await scratch(migrated=True)
    return {
        "PORTAL_PROFILE": "test",
        "PORTAL_DATABASE_URL": urls.app,
        "PORTAL_DATABASE_OWNER_URL": urls.owner,
        "PORTAL_DATABASE_SVC_URL": urls.svc,
        "PORTAL_REDIS_URL": redis_url,
        "PORTAL_BLOBS_URL": str(tmp_path / "blobs"),
        "PORTAL_TRUSTED_PROXIES": "10.0.0.0/8",
    }


async def _found(environ: dict[str, str]) -> list[Finding]:
    """What the doctor says, but for assets and Chromium: these stories are about the rest."""
    findings = await examine(environ, printing=False)
    return [finding for finding in findings if "scripts and styles" not in finding.what]


async def test_a_healthy_installation_has_no_finding_and_is_told_what_is_well(
    healthy: dict[str, str],
) -> None:
    told: list[str] = []
    findings = await examine(healthy, tell=told.append)
    assert [finding for finding in findings if "scripts and styles" not in finding.what] == []
    blobs, fonts, chromium = told
    assert blobs.startswith("Blobs can be written, read and removed at ")
    assert "Portal Arabic" in fonts
    assert re.match(r"Chromium \d+\.[\d.]+ prints, (in|without) its own sandbox", chromium)
    assert ("as root" in chromium) == (os.geteuid() == 0)


async def test_a_misspelt_variable_is_named(healthy: dict[str, str]) -> None:
    (finding,) = await _found(healthy | {"PORTAL_REDIS_ULR": "x"})
    assert "PORTAL_REDIS_ULR" in finding.what


async def test_a_wrong_value_is_named_and_nothing_else_is_tried(healthy: dict[str, str]) -> None:
    (finding,) = await _found(healthy | {"PORTAL_PORT": "eighty"})
    assert "PORTAL_PORT" in finding.what


async def test_a_proxy_that_is_not_trusted_makes_all_visitors_one_address(healthy: dict[str, str]) -> None:
    del healthy["PORTAL_TRUSTED_PROXIES"]
    (finding,) = await _found(healthy)
    assert finding.what.startswith("PORTAL_TRUSTED_PROXIES is not set")
    assert "Set PORTAL_TRUSTED_PROXIES to the networks of that proxy" in finding.cure
    # Over plain http, as in the demo, there need not be a proxy.
    assert await _found(healthy | {"PORTAL_PUBLIC_SCHEME": "http"}) == []


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


async def test_a_migration_that_was_passed_over(
    healthy: dict[str, str], scratch: Callable[..., Awaitable[Urls]]
) -> None:
    urls = await scratch(migrated=True)
    connection = await asyncpg.connect(urls.owner)
    await connection.execute("DELETE FROM schema_migration WHERE number = 1")
    await connection.close()
    (finding,) = await _found(healthy | {"PORTAL_DATABASE_URL": urls.app})
    assert finding.what == "The database does not match the migrations of this release."
    assert "0001_workspaces is not applied, but the later" in finding.cure
    assert "Rename the file to" in finding.cure


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
            reserved_hosts=(),
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


async def test_the_redis_of_the_jobs_is_looked_at_too(healthy: dict[str, str]) -> None:
    (finding,) = await _found(healthy | {"PORTAL_JOBS_REDIS_URL": "redis://127.0.0.1:1/0"})
    assert finding.what.startswith("Redis does not answer (PORTAL_JOBS_REDIS_URL)")
    assert finding.cure == "Check PORTAL_JOBS_REDIS_URL. Jobs wait until it is back."


async def test_jobs_that_are_dead_or_late(healthy: dict[str, str]) -> None:
    database = await Database.open(healthy["PORTAL_DATABASE_URL"], size=1)
    async with database.scope(WorkspaceId(new_id())):
        await enqueue(ForgetReleasedDomains())
        await execute("UPDATE job SET state = 'dead', ended_at = now()")
        added = await enqueue(ForgetReleasedDomains(), queue="slow")
        await execute("UPDATE job SET run_at = now() - interval '10 minutes' WHERE job_id = $1", added.job_id)
    await database.close()
    late, dead = await _found(healthy)
    assert re.fullmatch(r"The oldest job due in the queue slow waits since 60\d s\.", late.what)
    assert "a worker that serves slow" in late.cure
    assert dead.what == "Jobs are dead: 1 workspaces.forget_released_domains."
    assert "portal jobs list --state dead" in dead.cure


async def test_blobs_that_cannot_be_kept(healthy: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (finding,) = await _found(healthy | {"PORTAL_BLOBS_URL": str(tmp_path / "file" / "below")})
    assert finding.what.startswith(f"Blobs cannot be written, read and removed at {tmp_path}")
    assert "PORTAL_BLOBS_URL" in finding.cure


async def test_a_disk_that_is_nearly_full(healthy: dict[str, str], tmp_path: Path) -> None:
    settings = Settings.from_environ(healthy)
    (finding,) = await _all(printing_check.blobs(settings, lambda _: None, least_free=2**62))
    assert re.fullmatch(rf"Only \d+ MiB are free where PDFs are kept \({tmp_path}/blobs\)\.", finding.what)


async def test_in_production_a_relative_folder_is_no_place_for_blobs(
    healthy: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = replace(Settings.from_environ(healthy), profile=Profile.PRODUCTION, blobs_url="blobs")
    (finding,) = await _all(printing_check.blobs(settings, lambda _: None, least_free=0))
    assert "a different folder for processes that start elsewhere" in finding.what


@pytest.mark.parametrize(
    ("script", "what", "cure"),
    [
        (None, "There is no Chromium: none of ", "chromium-headless-shell"),
        ("exit 127", "Chromium does not print: Chromium could not be started.", "libraries may be missing"),
    ],
)
async def test_a_chromium_that_is_missing_or_does_not_start(
    healthy: dict[str, str], tmp_path: Path, script: str | None, what: str, cure: str
) -> None:
    program = tmp_path / "chromium"
    if script is not None:
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
        program.chmod(0o755)
    settings = Settings.from_environ(healthy | {"PORTAL_CHROMIUM": str(program)})
    (finding,) = await _all(printing_check.chromium(settings, lambda _: None))
    assert finding.what.startswith(what)
    assert cure in finding.cure


async def test_in_production_printing_without_the_sandbox_is_a_finding(healthy: dict[str, str]) -> None:
    careless = Settings.from_environ(healthy | {"PORTAL_CHROMIUM_SANDBOX": "false"})
    assert await _all(printing_check.chromium(careless, lambda _: None)) == []
    (finding,) = await _all(
        printing_check.chromium(replace(careless, profile=Profile.PRODUCTION), lambda _: None)
    )
    assert finding.what == "Chromium prints without its own sandbox: PORTAL_CHROMIUM_SANDBOX is false."


async def test_fonts_that_are_not_all_there(tmp_path: Path) -> None:
    (finding,) = await _all(printing_check.fonts(lambda _: None, tmp_path))
    assert finding.what == "The fonts of the PDFs have not been built."
    face = '[{"family":"Sans","weight":400,"file":"sans.woff2","ranges":"U+41"}]'
    (tmp_path / "index.json").write_text(face, encoding="ascii")
    (finding,) = await _all(printing_check.fonts(lambda _: None, tmp_path))
    assert finding.what == f"A font of the PDFs is missing: {tmp_path}/sans.woff2."


async def _all(findings: AsyncIterator[Finding]) -> list[Finding]:
    return [finding async for finding in findings]


async def test_clocks_that_disagree(healthy: dict[str, str]) -> None:
    clock = FixedClock(SystemClock().now() + timedelta(minutes=3))
    findings = [
        finding.what
        for finding in await examine(healthy, clock=clock, printing=False)
        if "clock" in finding.what
    ]
    assert len(findings) == 1
    assert findings[0].startswith("This machine's clock and the database's differ by ")
