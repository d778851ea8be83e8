"""Who may write: each mode with its challenges, in the same form, with the text kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from pyotp.totp import TOTP

from kernel.clock import SystemClock
from kernel.store import execute, fetch, fetch_one
from tenants.access import actions as access_actions
from tenants.access.values import Subject, SubjectKind
from tenants.customers.actions import add_contact
from tenants.ids import CodeId
from tenants.invoices.actions import revoke_link, set_write_authority
from tenants.workspaces.authority import OtpPolicy, WriteAuthority, WriteMode
from tests.fakes.browsers import Browser
from tests.fakes.event_log import place_all

CLOCK = SystemClock()
ANA = "ana@kunde.example"
STRANGER = "eve@elsewhere.example"


@dataclass
class Scene:
    """An invoice with a contact, a browser with the link, and the worker that makes codes."""

    tenants: Any
    tenant: Any
    browser: Browser

    @property
    def action(self) -> str:
        return f"{self.tenant.path}/comments"

    async def require(self, mode: WriteMode, **said: Any) -> None:
        async with self.tenants.database.scope(self.tenant.profile.workspace_id):
            await set_write_authority(self.tenant.invoice_id, WriteAuthority.create(mode, **said))

    async def write(self, email: str = ANA, **fields: Any) -> Any:
        await self.browser.open(self.tenant.path)
        said: dict[str, Any] = {"name": "Ana Silva", "email": email, "body": "When is it due?"} | fields
        return await self.browser.send(self.action, **said)

    async def make_code(self) -> str | None:
        """Make the code that was asked for last, as the worker does; None if the address gets none."""
        async with self.tenants.database.scope(self.tenant.profile.workspace_id):
            row = await fetch_one("SELECT code_id FROM one_time_code ORDER BY created_at DESC LIMIT 1")
            made = await access_actions.make_code(CodeId(row["code_id"]), self.tenants.sealer)
        return None if made is None else made.code

    async def let_time_pass(self) -> None:
        """Another code can be asked for."""
        async with self.tenants.database.scope(self.tenant.profile.workspace_id):
            await execute("UPDATE one_time_code SET created_at = created_at - interval '2 minutes'")

    async def enrol(self, email: str = ANA) -> str:
        """Set up an authenticator of an address; returns its secret."""
        subject, database = Subject(SubjectKind.ADDRESS, email), self.tenants.database
        workspace_id = self.tenant.profile.workspace_id
        async with database.scope(workspace_id):
            enrolment = await access_actions.begin_enrolment(subject, sealer=self.tenants.sealer)
        code = TOTP(enrolment.secret).now()
        await access_actions.confirm_enrolment(
            database, workspace_id, subject, code, sealer=self.tenants.sealer
        )
        async with database.scope(workspace_id):
            # As if some time had passed: the code of the present step is a new one.
            await execute("UPDATE authenticator SET last_step = last_step - 10")
        return enrolment.secret

    async def list_comments(self) -> list[Any]:
        async with self.tenants.database.scope(self.tenant.profile.workspace_id, read_only=True):
            return list(await fetch("SELECT * FROM comment ORDER BY staff_seq"))


@pytest.fixture
async def scene(portal: Any, tenants: Any, acme: Any) -> Scene:
    async with tenants.database.scope(acme.profile.workspace_id):
        await add_contact(acme.customer_id, email=ANA, name="Ana Silva", clock=CLOCK)
    return Scene(tenants, acme, Browser(portal.visitor(), acme.host))


async def test_a_code_by_mail_lets_write_in_the_same_form(scene: Scene) -> None:
    await scene.require(WriteMode.OTP)
    asked = await scene.write()
    assert asked.status_code == 403
    assert f"We have sent a code to {ANA}" in asked.text
    code = await scene.make_code()
    assert code is not None
    kept = scene.browser.form(scene.action)
    assert (kept["name"], kept["email"], kept["body"]) == ("Ana Silva", ANA, "When is it due?")
    wrong = await scene.browser.send(scene.action, code="000000" if code != "000000" else "000001")
    assert wrong.status_code == 403
    assert "This is not the code that was sent" in scene.browser.text("comment-code-error")
    right = await scene.browser.send(scene.action, code=code)
    assert right.status_code == 303
    page = await scene.browser.open(scene.tenant.path)
    assert "signed in" in page.text
    assert scene.browser.cookies["session"].startswith("s")
    (comment,) = await scene.list_comments()
    assert comment["proofs"] == ["contact", "email_code", "link"]
    assert comment["session_id"] is not None


async def test_once_proven_the_next_comment_needs_no_code(scene: Scene) -> None:
    await scene.require(WriteMode.OTP)
    await scene.write()
    await scene.browser.send(scene.action, code=await scene.make_code() or "")
    await scene.browser.open(scene.tenant.path)
    assert 'name="email"' not in scene.browser.page
    again = await scene.browser.send(scene.action, body="One more")
    assert again.status_code == 303
    assert [each["author_email"] for each in await scene.list_comments()] == [ANA, ANA]


async def test_a_code_of_one_address_proves_no_other(scene: Scene) -> None:
    await scene.require(WriteMode.OTP)
    await scene.write(STRANGER)
    code = await scene.make_code()
    tried = await scene.browser.send(scene.action, code=code or "", email=ANA)
    assert tried.status_code == 403
    assert await scene.list_comments() == []


async def test_a_proven_stranger_is_verified_but_not_signed_in(scene: Scene) -> None:
    await scene.require(WriteMode.OTP)
    await scene.write(STRANGER)
    await scene.browser.send(scene.action, code=await scene.make_code() or "")
    page = await scene.browser.open(scene.tenant.path)
    assert "verified by e-mail code" in page.text
    (comment,) = await scene.list_comments()
    assert comment["proofs"] == ["email_code", "link"]


async def test_asking_again_too_soon_is_refused_with_the_time_to_wait(scene: Scene) -> None:
    await scene.require(WriteMode.OTP)
    await scene.write()
    soon = await scene.browser.send(scene.action, resend="1")
    assert soon.status_code == 429
    assert "Please wait" in scene.browser.text("comment-code-error")
    first = await scene.make_code()
    await scene.let_time_pass()
    later = await scene.browser.send(scene.action, resend="1")
    assert later.status_code == 403
    second = await scene.make_code()
    assert (await scene.browser.send(scene.action, code=first or "")).status_code == (
        303 if first == second else 403
    )


async def test_a_script_is_told_which_proof_is_missing(scene: Scene) -> None:
    await scene.require(WriteMode.OTP)
    await scene.browser.open(scene.tenant.path)
    said: dict[str, Any] = {"name": "Ana", "email": ANA, "body": "Hello"}
    asked = await scene.browser.send(scene.action, as_json=True, **said)
    problem = asked.json()
    assert (asked.status_code, problem["code"], problem["proof"]) == (403, "proof.required", "code")
    assert problem["detail"] == f"We have sent a code to {ANA}. Enter the code to send your comment."
    assert problem["errors"] == {}
    soon = await scene.browser.send(scene.action, as_json=True, **said)
    assert (soon.status_code, soon.json()["code"], soon.json()["proof"]) == (429, "code.throttled", "code")
    assert int(soon.headers["retry-after"]) > 30
    sent = await scene.browser.send(scene.action, as_json=True, code=await scene.make_code() or "", **said)
    assert sent.status_code == 201
    more = await scene.browser.send(
        scene.action, as_json=True, form_token=sent.json()["form_token"], **said | {"client_id": "c" * 36}
    )
    assert more.status_code == 201


async def test_a_post_whose_answer_was_lost_is_confirmed_without_another_code(scene: Scene) -> None:
    await scene.require(WriteMode.OTP)
    await scene.write()
    before = dict(scene.browser.cookies)
    code = await scene.make_code() or ""
    first = await scene.browser.send(scene.action, as_json=True, code=code)
    scene.browser.cookies = before
    again = await scene.browser.send(scene.action, as_json=True, code=code)
    assert (first.status_code, again.status_code, again.json()["is_new"]) == (201, 200, False)
    assert first.json()["comment_id"] == again.json()["comment_id"]
    other = await scene.browser.send(scene.action, as_json=True, code=code, client_id="another-post")
    assert (other.status_code, other.json()["code"]) == (403, "code.expired")


@pytest.mark.parametrize(
    "authority",
    [
        {"mode": WriteMode.CUSTOMER},
        {"mode": WriteMode.OTP, "otp_policy": OtpPolicy.CONTACTS},
    ],
    ids=["customer", "contacts"],
)
async def test_known_and_unknown_addresses_get_the_same_answer(
    portal: Any, scene: Scene, authority: dict[str, Any]
) -> None:
    await scene.require(**authority)
    pages = []
    for email, is_known in ((ANA, True), (STRANGER, False)):
        scene.browser = Browser(portal.visitor(), scene.tenant.host)
        asked = await scene.write(email)
        assert asked.status_code == 403
        assert f"If {email} may write here" in asked.text
        assert (await scene.make_code() is not None) is is_known
        wrong = await scene.browser.send(scene.action, code="999999x")
        pages.append([mask(page.text, email) for page in (asked, wrong)])
    assert pages[0] == pages[1]
    assert await scene.list_comments() == []


def mask(page: str, email: str) -> str:
    """Return a page without what differs from one response to the next whoever asks."""
    for name in ("form_token", "client_id"):
        page = re.sub(rf'name="{name}" value="[^"]*"', "", page)
    return re.sub(r'nonce="[^"]*"', "", page).replace(email, "")


async def test_a_contact_who_signs_in_writes_as_this_contact(scene: Scene, svc: Any) -> None:
    await scene.require(WriteMode.CUSTOMER)
    await scene.write()
    sent = await scene.browser.send(scene.action, code=await scene.make_code() or "")
    assert sent.status_code == 303
    page = await scene.browser.open(scene.tenant.path)
    assert re.search(r"as\s*<bdi>Ana Silva</bdi>", page.text)
    await place_all(svc)
    async with scene.tenants.database.scope(scene.tenant.profile.workspace_id, read_only=True):
        event = await fetch_one("SELECT actor_kind FROM event WHERE kind = 'comment.posted'")
    assert event["actor_kind"] == "contact"


async def test_an_authenticator_is_asked_for_after_the_code(scene: Scene) -> None:
    await scene.require(WriteMode.CUSTOMER, requires_totp=True)
    secret = await scene.enrol()
    await scene.write()
    asked = await scene.browser.send(scene.action, code=await scene.make_code() or "")
    assert asked.status_code == 403
    assert "Enter the code that your authenticator app shows." in asked.text
    assert scene.browser.form(scene.action)["body"] == "When is it due?"
    wrong = await scene.browser.send(scene.action, totp="000000x")
    assert "This code is not right" in scene.browser.text("comment-totp-error")
    assert wrong.status_code == 403
    sent = await scene.browser.send(scene.action, totp=TOTP(secret).now())
    assert sent.status_code == 303
    (comment,) = await scene.list_comments()
    assert comment["proofs"] == ["contact", "email_code", "link", "totp"]
    page = await scene.browser.open(scene.tenant.path)
    assert "signed in with an authenticator" in page.text


async def test_without_an_authenticator_one_is_to_be_set_up_and_the_text_stays(scene: Scene) -> None:
    await scene.require(WriteMode.OTP, requires_totp=True)
    await scene.write()
    asked = await scene.browser.send(scene.action, code=await scene.make_code() or "")
    assert asked.status_code == 403
    assert f'href="/authenticator?next={scene.tenant.path}"' in asked.text
    assert scene.browser.form(scene.action)["body"] == "When is it due?"
    await scene.browser.open(scene.tenant.path)
    assert f'href="/authenticator?next={scene.tenant.path}"' in scene.browser.page


async def test_a_revoked_session_ends_writing_at_once(scene: Scene) -> None:
    await scene.require(WriteMode.CUSTOMER)
    await scene.write()
    await scene.browser.send(scene.action, code=await scene.make_code() or "")
    await scene.browser.open(scene.tenant.path)
    async with scene.tenants.database.scope(scene.tenant.profile.workspace_id):
        await access_actions.revoke_other_sessions(Subject(SubjectKind.ADDRESS, ANA), keep=None)
    await scene.let_time_pass()
    refused = await scene.browser.send(scene.action, body="Still me?")
    assert refused.status_code == 400
    assert scene.browser.form(scene.action)["body"] == "Still me?"
    assert len(await scene.list_comments()) == 1


async def test_a_contact_writes_without_a_link_and_only_as_long_as_a_contact(scene: Scene) -> None:
    await scene.require(WriteMode.CUSTOMER)
    await scene.write()
    await scene.browser.send(scene.action, code=await scene.make_code() or "")
    async with scene.tenants.database.scope(scene.tenant.profile.workspace_id):
        await revoke_link(scene.tenant.link_id, clock=CLOCK)
    own = f"/i/{scene.tenant.invoice_id}"
    await scene.browser.open(own)
    sent = await scene.browser.send(f"{own}/comments", body="Without a link")
    assert (sent.status_code, sent.headers["location"].partition("#")[0]) == (303, own)
    assert [each["link_id"] for each in await scene.list_comments()] == [scene.tenant.link_id, None]
    async with scene.tenants.database.scope(scene.tenant.profile.workspace_id):
        await execute("DELETE FROM contact WHERE email = $1", ANA)
    gone = await scene.browser.send(f"{own}/comments", body="Still?")
    assert gone.status_code == 404
    assert (await scene.browser.ask(f"{own}/thread")).status_code == 404
