"""portal audit and portal events, against a real database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import asyncpg
import pytest
from click.testing import CliRunner, Result

from kernel.store import Database, fetch_value
from kernel.store.roles import Urls, build_database_url
from ops.cli import portal
from tenants.activity.actions import RETENTION
from tenants.workspaces.profile import WorkspaceProfile
from tests.fakes.event_log import Log, place_all

Portal = Callable[..., Awaitable[Result]]


@pytest.fixture
def run_portal(urls: Urls, redis_url: str) -> Portal:
    """Run the command line against this worker's database."""
    environ = {"PORTAL_PROFILE": "test", "PORTAL_DATABASE_URL": urls.app, "PORTAL_REDIS_URL": redis_url}

    async def invoke(*arguments: str | Path) -> Result:
        words = [str(argument) for argument in arguments]
        return await asyncio.to_thread(CliRunner().invoke, portal, words, env=environ)

    return invoke


@pytest.fixture
async def profile(new_workspace: Callable[..., Awaitable[WorkspaceProfile]]) -> WorkspaceProfile:
    return await new_workspace()


@pytest.fixture
async def log(profile: WorkspaceProfile, database: Database, svc: Database) -> Log:
    await place_all(svc)
    async with database.scope(profile.workspace_id):
        base = await fetch_value("SELECT place FROM event_head")
    return Log(profile.workspace_id, database, svc, base)


async def change_third(admin_url: str, urls: Urls, log: Log) -> None:
    connection = await asyncpg.connect(
        build_database_url(admin_url, unquote(urlsplit(urls.owner).path.removeprefix("/")))
    )
    await connection.execute(
        "UPDATE event SET actor_id = 'somebody else' WHERE workspace_id = $1 AND place = $2",
        log.workspace_id,
        log.base + 3,
    )
    await connection.close()


def anchor_line(log: Log, place: int, hash_: str, at: datetime) -> str:
    return json.dumps(
        {
            "event": "event log anchor",
            "workspace": str(log.workspace_id),
            "place": place,
            "hash": hash_,
            "time": at.isoformat(),
        }
    )


async def test_events_are_listed(run_portal: Portal, profile: WorkspaceProfile, log: Log) -> None:
    await log.write(1, 2, 3)
    listing = ("events", "list", "--workspace", profile.slug, "--kind", "shelf.built")
    rows = json.loads((await run_portal(*listing, "--json")).stdout)
    assert [row["payload"]["number"] for row in rows] == [3, 2, 1]
    assert rows[0]["actor"] == {
        "kind": "operator",
        "id": "tests",
        "name": "",
        "link_id": "",
        "session_id": "",
        "address_prefix": "",
    }
    shown = (await run_portal(*listing, "--limit", "2")).stdout.splitlines()
    assert shown[0].split() == ["place", "at", "kind", "payload"]
    assert [line.split()[0] for line in shown[1:]] == [str(log.base + 3), str(log.base + 2)]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    assert (await run_portal(*listing, "--since", tomorrow)).stdout == "There is no such event.\n"


async def test_a_refused_command_is_in_the_audit_log_alone(
    run_portal: Portal, profile: WorkspaceProfile, log: Log, svc: Database
) -> None:
    host = f"pay-{uuid4().hex[:8]}.example.com"
    create = ("customer", "create", "Buyer AG", "--workspace", profile.slug, "--json")
    customer = json.loads((await run_portal(*create)).stdout)["customer_id"]
    add = ("customer", "contact", "add", customer, f"ada@{host}", "--workspace", profile.slug)
    assert (await run_portal(*add)).exit_code == 0
    refused = await run_portal(*add)
    assert refused.exit_code == 1
    assert "[contact.exists]" in refused.stderr
    await place_all(svc)
    listing = ("list", "--workspace", profile.slug, "--kind", "action.refused")
    (row,) = json.loads((await run_portal("audit", *listing, "--json")).stdout)
    assert row["payload"] == {"action": "portal customer contact add", "error_code": "contact.exists"}
    assert row["actor"]["kind"] == "operator"
    assert row["actor"]["id"] != ""
    shown = (await run_portal("audit", *listing)).stdout.splitlines()
    assert shown[0].split() == ["place", "at", "who", "kind", "payload", "request", "id"]
    assert "operator" in shown[1]
    assert (await run_portal("events", *listing)).stdout == "There is no such event.\n"


async def test_an_untouched_log_is_verified(run_portal: Portal, profile: WorkspaceProfile, log: Log) -> None:
    await log.write(1, 2, 3)
    result = await run_portal("audit", "verify", "--workspace", profile.slug)
    assert (result.exit_code, result.stdout) == (0, "No fault was found; 0 anchors were compared.\n")


async def test_a_changed_log_is_an_error(
    run_portal: Portal, profile: WorkspaceProfile, log: Log, admin_url: str, urls: Urls
) -> None:
    await log.write(1, 2, 3, 4)
    await change_third(admin_url, urls, log)
    result = await run_portal("audit", "verify", "--workspace", profile.slug)
    assert result.exit_code == 1
    assert result.stdout == f"✗ {log.base + 3}: its content was changed [row_changed]\n"
    as_json = await run_portal("audit", "verify", "--workspace", profile.slug, "--json")
    assert json.loads(as_json.stdout) == [{"place": log.base + 3, "kind": "row_changed"}]


async def test_anchors_of_a_log_file_are_compared(
    run_portal: Portal, profile: WorkspaceProfile, log: Log, tmp_path: Path
) -> None:
    await log.write(1, 2, 3)
    anchor, now = await log.load_anchor(), datetime.now(UTC)
    file = tmp_path / "relay.log"
    sound = [
        "not JSON",
        '{"event": "starting"}',
        "[]",
        '{"event": "event log anchor", "time": "never"}',
        json.dumps(
            {"event": "event log anchor", "time": now.isoformat(), "hash": "00", "workspace": 1, "place": 1}
        ),
        anchor_line(log, anchor.place, anchor.hash, now),
        # Older than the retention: it may name an event that was pruned.
        anchor_line(log, 10_000, "00" * 32, now - RETENTION),
    ]
    file.write_text("\n".join(sound), encoding="utf-8")
    verify = ("audit", "verify", "--workspace", profile.slug, "--anchors", file)
    result = await run_portal(*verify)
    assert (result.exit_code, result.stdout) == (0, "No fault was found; 1 anchors were compared.\n")
    file.write_text("\n".join([*sound, anchor_line(log, anchor.place, "00" * 32, now)]), encoding="utf-8")
    result = await run_portal(*verify)
    assert result.exit_code == 1
    assert result.stdout.endswith("[anchor_differs]\n")


async def test_the_log_of_an_unknown_workspace_is_not_found(run_portal: Portal) -> None:
    result = await run_portal("audit", "verify", "--workspace", "nobody")
    assert result.exit_code == 1
    assert "[workspace.not_found]" in result.stderr
