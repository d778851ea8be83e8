import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from click.testing import CliRunner, Result

from kernel.jobs import enqueue
from kernel.store import Database, execute
from kernel.store.roles import Urls
from ops.cli import portal
from ops.ports import find_free_port
from tenants.workspaces.queries import find_workspace_by_host
from tests.fakes.jobs import SampleJob

ROOT = Path(__file__).resolve().parents[2]
UBL = ROOT / "tests" / "data" / "ubl"

Portal = Callable[..., Awaitable[Result]]


@pytest.fixture
def run_portal(urls: Urls, redis_url: str) -> Portal:
    """Run the command line against this worker's database; commands bring an event loop of their own."""
    environ = {
        "PORTAL_PROFILE": "test",
        "PORTAL_DATABASE_URL": urls.app,
        "PORTAL_DATABASE_OWNER_URL": urls.owner,
        "PORTAL_DATABASE_SVC_URL": urls.svc,
        "PORTAL_REDIS_URL": redis_url,
        "PORTAL_PUBLIC_SCHEME": "http",
        "PORTAL_PUBLIC_PORT": "8000",
    }

    async def invoke(*arguments: str | Path, env: dict[str, str | None] | None = None) -> Result:
        words = [str(argument) for argument in arguments]
        return await asyncio.to_thread(CliRunner().invoke, portal, words, env=environ | (env or {}))

    return invoke


async def _json(run_portal: Portal, *arguments: str | Path) -> Any:
    result = await run_portal(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def _workspace(run_portal: Portal) -> str:
    slug = f"cli-{uuid4().hex[:10]}"
    await _json(run_portal, "workspace", "create", slug, "--name", "Acme Studio")
    return slug


async def test_help_names_every_command(run_portal: Portal) -> None:
    result = await run_portal("--help")
    named = {line.split()[0] for line in result.output.partition("Commands:")[2].splitlines() if line.strip()}
    words = (
        "audit connect customer doctor events gateway hub import-ubl invoice jobs link migrate payment realtime relay"
        " scheduler seed series thread worker workspace"
    )
    assert named == set(words.split())


async def test_a_workspace_is_created_changed_and_shown(run_portal: Portal) -> None:
    slug = f"cli-{uuid4().hex[:10]}"
    region = ("--locale", "de-DE", "--time-zone", "Europe/Berlin", "--currency", "EUR")
    made = await _json(run_portal, "workspace", "create", slug, "--name", "Nordlicht GmbH", *region)
    assert (made["name"], made["locale"], made["currency"]) == ("Nordlicht GmbH", "de-DE", "EUR")
    assert made["hosts"] == f"{slug}.localhost (active)"
    await _json(run_portal, "workspace", "set", slug, "--colour", "#0A5C36", "--payment-days", "30")
    shown = await _json(run_portal, "workspace", "show", slug)
    assert (shown["brand_colour"], shown["payment_days"], shown["name"]) == ("#0a5c36", 30, "Nordlicht GmbH")
    by_host = await _json(run_portal, "workspace", "show", f"{slug}.localhost")
    assert by_host == shown
    assert slug in [row["slug"] for row in await _json(run_portal, "workspace", "list")]


async def test_a_series_continues_from_the_next_number_that_is_set(run_portal: Portal) -> None:
    at = ("--workspace", await _workspace(run_portal))
    assert (await run_portal("series", "list", *at)).stdout == "There is no series yet.\n"
    expected = {"series": "invoices", "prefix": "INV-", "digits": 5, "next_number": "INV-05001"}
    assert await _json(run_portal, "series", "set", *at, "--next", "5001") == expected
    expected |= {"prefix": "RE/", "digits": 3, "next_number": "RE/5001"}
    assert (
        await _json(run_portal, "series", "set", "invoices", *at, "--prefix", "RE/", "--digits", "3")
        == expected
    )
    assert await _json(run_portal, "series", "list", *at) == [expected]
    zero = await run_portal("series", "set", *at, "--next", "0")
    assert (zero.exit_code, "[series.next]" in zero.stderr) == (1, True)


async def test_a_mistake_is_said_in_plain_words_with_its_code(run_portal: Portal) -> None:
    slug = await _workspace(run_portal)
    again = await run_portal("workspace", "create", slug)
    assert (again.exit_code, again.stderr) == (
        1,
        f"The name {slug} is taken. [workspace.slug_taken]\n  slug: {slug}\n",
    )
    nobody = await run_portal("workspace", "show", "no-such-workspace")
    assert nobody.exit_code == 1
    assert "[workspace.not_found]" in nobody.stderr
    unset = await run_portal(
        "workspace", "show", slug, env={"PORTAL_PROFILE": None, "PORTAL_DATABASE_URL": None}
    )
    assert unset.exit_code == 1
    assert "PORTAL_" in unset.stderr
    assert "[settings.invalid]" in unset.stderr


async def test_customers_and_their_contacts(run_portal: Portal) -> None:
    slug = await _workspace(run_portal)
    place = ("--workspace", slug)
    made = await _json(
        run_portal, "customer", "create", "Oakridge", "--city", "Portland", "--country", "US", *place
    )
    person = await _json(
        run_portal,
        "customer",
        "contact",
        "add",
        made["customer_id"],
        "ana@oakridge.example",
        "--name",
        "Ana",
        *place,
    )
    shown = await _json(run_portal, "customer", "show", made["customer_id"], *place)
    assert (shown["name"], shown["city"]) == ("Oakridge", "Portland")
    assert [contact["email"] for contact in shown["contacts"]] == ["ana@oakridge.example"]
    listed = await run_portal("customer", "list", *place)
    assert "Oakridge" in listed.output
    removed = await run_portal("customer", "contact", "remove", person["contact_id"], *place)
    assert removed.output == "Removed.\n"
    other = await _workspace(run_portal)
    foreign = await run_portal("customer", "show", made["customer_id"], "--workspace", other)
    assert (foreign.exit_code, "[customer.not_found]" in foreign.stderr) == (1, True)


async def test_an_invoice_is_imported_and_its_links_live_and_end(run_portal: Portal) -> None:
    slug = await _workspace(run_portal)
    place = ("--workspace", slug)
    (row,) = await _json(run_portal, "import-ubl", UBL / "01.01a-INVOICE_ubl.xml", "--link", *place)
    assert (row["ok"], row["number"], row["total"]) == (True, "123456XX", "336.90 EUR")
    assert row["url"].startswith(f"http://{slug}.localhost:8000/i/")
    second = await _json(run_portal, "link", "issue", "123456XX", *place)
    assert second["url"] != row["url"]
    assert (await _json(run_portal, "link", "show", second["link_id"], *place))["url"] == second["url"]
    third = await _json(run_portal, "link", "rotate", second["link_id"], *place)
    revoked = await run_portal("link", "revoke", third["link_id"], *place)
    assert revoked.output == "Revoked.\n"
    lines = await _json(run_portal, "link", "list", "123456XX", *place)
    assert [line["state"] for line in lines] == ["open", "revoked", "revoked"]
    ended = await run_portal("link", "show", third["link_id"], *place)
    assert (ended.exit_code, "[link.ended]" in ended.stderr) == (1, True)
    unknown = await run_portal("link", "issue", "123456XX", "--contact", "nobody@example.com", *place)
    assert (unknown.exit_code, "[contact.not_found]" in unknown.stderr) == (1, True)


async def test_a_number_and_an_address_are_found_as_they_are_typed(run_portal: Portal) -> None:
    slug = await _workspace(run_portal)
    place = ("--workspace", slug)
    await run_portal("import-ubl", UBL / "01.01a-INVOICE_ubl.xml", *place)
    (buyer,) = await _json(run_portal, "customer", "list", *place)
    added = await _json(
        run_portal, "customer", "contact", "add", buyer["customer_id"], "Ana@b\u00fccher.example", *place
    )
    # The accent as a character of its own, and a zero-width space behind the number, as they are pasted.
    typed = ("123456XX\u200b", "--contact", "ana@Bu\u0308cher.example")
    issued = await _json(run_portal, "link", "issue", *typed, *place)
    (line,) = await _json(run_portal, "link", "list", "123456XX", *place)
    assert (line["link_id"], line["recipient"]) == (issued["link_id"], added["email"])


async def test_a_refused_file_is_named_with_its_rule_and_the_others_are_imported(
    run_portal: Portal, tmp_path: Path
) -> None:
    slug = await _workspace(run_portal)
    good = UBL / "01.01a-INVOICE_ubl.xml"
    wrong = tmp_path / "wrong.xml"
    text = good.read_text(encoding="utf-8")
    wrong.write_text(text.replace("123456XX", "X-2").replace(">336.9<", ">336.91<"), encoding="utf-8")
    broken = tmp_path / "broken.xml"
    broken.write_text("<Invoice", encoding="utf-8")
    result = await run_portal("import-ubl", wrong, broken, good, "--workspace", slug)
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0].startswith(f"{wrong}: refused. BR-CO-")
    assert lines[1].startswith(f"{broken}: refused. ")
    assert lines[2] == f"{good}: 123456XX, 336.90 EUR"
    again = await run_portal("import-ubl", good, "--workspace", slug)
    assert "[invoice.number_taken]" in again.output
    nowhere = await run_portal("import-ubl", good, "--workspace", "no-such-workspace")
    assert (nowhere.exit_code, "[workspace.not_found]" in nowhere.stderr) == (1, True)


async def test_migrating_again_applies_nothing(run_portal: Portal) -> None:
    result = await run_portal("migrate")
    assert (result.exit_code, result.output.endswith("; 0 applied now.\n")) == (0, True)


@pytest.mark.usefixtures("restore_logging")
async def test_the_doctor_exits_with_one_when_it_finds_something(run_portal: Portal) -> None:
    result = await run_portal("doctor", env={"PORTAL_DATABSE_URL": "x"})
    assert result.exit_code == 1
    assert "PORTAL_DATABSE_URL" in result.output
    assert "→" in result.output


async def test_a_workspace_gets_no_host_that_is_configured_for_a_surface(run_portal: Portal) -> None:
    slug = f"desk-{uuid4().hex[:10]}"
    env: dict[str, str | None] = {"PORTAL_CONSOLE_HOST": f"{slug}.localhost"}
    refused = await run_portal("workspace", "create", slug, "--name", "Desk", env=env)
    assert refused.exit_code == 1
    assert f"{slug} is a reserved name. [workspace.slug_reserved]" in refused.stderr
    assert (await run_portal("workspace", "create", slug, "--name", "Desk")).exit_code == 0


async def test_invented_invoices_are_not_written_where_real_ones_are(run_portal: Portal, urls: Urls) -> None:
    secret = "k1:" + "A" * 42 + "E="
    result = await run_portal(
        "seed",
        env={
            "PORTAL_PROFILE": "production",
            "PORTAL_SECRET_KEYS": secret,
            "PORTAL_PUBLIC_SCHEME": "https",
            "PORTAL_DATABASE_URL": urls.app,
        },
    )
    assert result.exit_code == 1
    assert "[seed.production]" in result.stderr


async def test_jobs_are_listed_run_again_and_thrown_away(run_portal: Portal, database: Database) -> None:
    slug = await _workspace(run_portal)
    found = await find_workspace_by_host(database, f"{slug}.localhost")
    assert found is not None
    async with database.scope(found.workspace.workspace_id):
        job_id = str((await enqueue(SampleJob())).job_id)
        await execute("UPDATE job SET state = 'dead', ended_at = now(), attempts = 3, error = 'gone'")
    (line,) = await _json(run_portal, "jobs", "list", "--workspace", slug, "--state", "dead")
    assert (line["job_id"], line["error"]) == (job_id, "gone")
    shown = await run_portal("jobs", "list", "--workspace", slug)
    assert shown.output.splitlines()[0].split() == [
        "job",
        "id",
        "kind",
        "state",
        "attempts",
        "run",
        "at",
        "error",
    ]
    assert (await run_portal("jobs", "replay", job_id)).output == "Replayed.\n"
    again = await run_portal("jobs", "replay", job_id)
    assert (again.exit_code, "[job.not_dead]" in again.output) == (1, True)
    assert (await run_portal("jobs", "discard", job_id)).output == "Discarded.\n"
    gone = await run_portal("jobs", "discard", job_id)
    assert (gone.exit_code, "[job.not_found]" in gone.output) == (1, True)


async def test_a_worker_of_a_queue_that_is_none_is_refused(run_portal: Portal) -> None:
    refused = await run_portal("worker", "--queue", "pfd")
    assert refused.exit_code == 1
    assert "There is no queue pfd; the queues are default, mail, payments, pdf, pdf-bulk." in refused.output


@pytest.mark.parametrize(
    ("variable", "instead", "words"),
    [
        ("PORTAL_DATABASE_URL", "postgresql://portal_app@/nowhere?", "creates the database"),
        ("PORTAL_DATABASE_URL", "postgresql://nobody-there@/postgres?", "creates the roles"),
        ("PORTAL_DATABASE_URL", "postgresql://portal_app@127.0.0.1:1/portal", "[store.unavailable]"),
        ("PORTAL_REDIS_URL", "redis://h:notaport", "PORTAL_REDIS_URL must be a Redis url"),
    ],
)
async def test_what_postgres_refuses_is_one_sentence_with_its_cure(
    run_portal: Portal, urls: Urls, variable: str, instead: str, words: str
) -> None:
    url = instead + urls.app.partition("?")[2] if instead.endswith("?") else instead
    result = await run_portal("workspace", "show", "x", env={variable: url})
    assert (result.exit_code, result.exception.__class__) == (1, SystemExit)
    assert words in result.stderr


async def test_a_database_that_was_never_migrated(
    run_portal: Portal, scratch: Callable[..., Awaitable[Urls]]
) -> None:
    empty = await scratch()
    result = await run_portal("workspace", "show", "x", env={"PORTAL_DATABASE_URL": empty.app})
    assert (result.exit_code, "run `portal migrate`" in result.stderr) == (1, True)


async def test_migrating_as_another_role_than_the_owner(
    run_portal: Portal, scratch: Callable[..., Awaitable[Urls]]
) -> None:
    empty = await scratch()
    result = await run_portal("migrate", env={"PORTAL_DATABASE_OWNER_URL": empty.app})
    assert (result.exit_code, "must name its own role" in result.stderr) == (1, True)
    result = await run_portal("workspace", "list", env={"PORTAL_DATABASE_SVC_URL": empty.app})
    assert (result.exit_code, "[store.wrong_role]" in result.stderr) == (1, True)


async def test_migrating_where_postgres_is_not(run_portal: Portal) -> None:
    nowhere = "postgresql://portal_owner@127.0.0.1:1/portal"
    result = await run_portal("migrate", env={"PORTAL_DATABASE_OWNER_URL": nowhere})
    assert (result.exit_code, result.exception.__class__) == (1, SystemExit)
    assert "Does the server run at the address in the settings" in result.stderr


@pytest.mark.usefixtures("restore_logging")
async def test_the_doctor_says_a_port_that_is_none(run_portal: Portal) -> None:
    result = await run_portal("doctor", env={"PORTAL_DATABASE_URL": "postgresql://portal_app@db:x/portal"})
    assert (result.exit_code, "PORTAL_DATABASE_URL must be a Postgres url" in result.output) == (1, True)


@pytest.mark.parametrize("variable", ["PORTAL_PORT", "PORTAL_METRICS_PORT"])
async def test_a_port_in_use_is_said_with_its_variable(run_portal: Portal, variable: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        other = "PORTAL_METRICS_PORT" if variable == "PORTAL_PORT" else "PORTAL_PORT"
        result = await run_portal("gateway", env={variable: port, other: str(find_free_port())})
    words = f"Error: The gateway cannot listen on 127.0.0.1, port {port}: is it in use? "
    assert (result.exit_code, result.stderr) == (1, f"{words}Choose another with {variable}.\n")


async def test_a_file_without_end_is_read_to_its_limit_only(run_portal: Portal) -> None:
    slug = await _workspace(run_portal)
    result = await run_portal("import-ubl", "/dev/zero", "--workspace", slug)
    assert (result.exit_code, "PORTAL-SIZE" in result.output) == (1, True)
    result = await run_portal("workspace", "set", slug, "--logo", "/dev/zero")
    assert (result.exit_code, "[logo.too_large]" in result.stderr) == (1, True)


async def test_of_the_options_for_the_logo_only_one_is_accepted(run_portal: Portal) -> None:
    for other in (["--no-logo"], ["--logo-url", "https://acme.example/logo.png"]):
        result = await run_portal("workspace", "set", "any", "--logo", __file__, *other)
        assert (result.exit_code, "Give only one of --logo" in result.stderr) == (2, True)


async def test_a_logo_named_by_url_is_a_job_and_a_url_that_may_not_be_asked_is_refused(
    run_portal: Portal,
) -> None:
    slug = await _workspace(run_portal)
    made = await _json(run_portal, "workspace", "set", slug, "--logo-url", "https://acme.example/logo.png")
    assert made["logo"] == "none"
    (job,) = await _json(run_portal, "jobs", "list", "--workspace", slug)
    assert (job["kind"], job["state"]) == ("workspaces.fetch_logo", "queued")
    result = await run_portal("workspace", "set", slug, "--logo-url", "file:///etc/passwd")
    assert (result.exit_code, "[url.refused]" in result.stderr) == (1, True)
    other = f"cli-{uuid4().hex[:10]}"
    await _json(run_portal, "workspace", "create", other, "--logo-url", "https://acme.example/logo.png")
    assert len(await _json(run_portal, "jobs", "list", "--workspace", other)) == 1


async def test_an_import_that_collides_with_others_is_tried_again(run_portal: Portal, urls: Urls) -> None:
    slug = await _workspace(run_portal)
    owner = await asyncpg.connect(urls.owner)
    # The first attempt meets a collision, the second does not.
    await owner.execute(
        """
        CREATE SEQUENCE collisions; GRANT USAGE ON SEQUENCE collisions TO portal_app;
        CREATE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.number = '123456XX' AND nextval('collisions') = 1 THEN
                RAISE EXCEPTION 'collision' USING ERRCODE = '40P01';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER collide BEFORE INSERT ON invoice FOR EACH ROW EXECUTE FUNCTION collide();
        """
    )
    try:
        result = await run_portal("import-ubl", UBL / "01.01a-INVOICE_ubl.xml", "--workspace", slug)
        assert await owner.fetchval("SELECT last_value FROM collisions") == 2
    finally:
        await owner.execute(
            "DROP TRIGGER collide ON invoice; DROP FUNCTION collide; DROP SEQUENCE collisions"
        )
        await owner.close()
    assert (result.exit_code, result.output) == (
        0,
        f"{UBL / '01.01a-INVOICE_ubl.xml'}: 123456XX, 336.90 EUR\n",
    )
