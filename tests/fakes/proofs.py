"""Visitors of a workspace that ask for codes, sign in and enrol authenticators by the product's actions."""

from __future__ import annotations

import asyncio
import datetime as dt
import hmac
from base64 import b32decode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kernel.ids import new_secret
from kernel.store import execute, fetch_value
from tenants.access import actions
from tenants.access.actions.authenticators import check_first_code
from tenants.access.actions.recovery_codes import store_enrolment
from tenants.access.recovery import hash_recovery_codes, make_recovery_codes
from tenants.access.values import CheckedFactor, CodePurpose, NewSession, Subject, SubjectKind
from tenants.customers.actions import add_contact
from tenants.ids import AuthenticatorId, CodeId, CustomerId
from tests.fakes.sample_workspaces import SampleWorkspace

_NEWEST: Final = """
SELECT code_id FROM one_time_code WHERE workspace_id = $1 AND target = $2 ORDER BY created_at DESC LIMIT 1
"""
_AGE: Final = """
UPDATE one_time_code SET created_at = created_at - $3::interval, expires_at = expires_at - $3::interval
WHERE workspace_id = $1 AND target = $2
"""


@dataclass(frozen=True, slots=True)
class EnrolledAuthenticator:
    """A confirmed authenticator: its key, the step of the code that confirmed it, its recovery codes."""

    authenticator_id: AuthenticatorId
    secret: str
    step: int
    recovery_codes: Sequence[str]

    def compute_next_code(self) -> str:
        """Return the code of the step after the one that confirmed it, which is valid now and for half a minute."""
        return compute_code(self.secret, self.step + 1)


def compute_code(secret: str, step: int) -> str:
    """Return the code of a step by RFC 4226 and RFC 6238, written from their text."""
    digest = hmac.digest(b32decode(secret), step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0x0F
    truncated = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{truncated % 1_000_000:06d}"


def own(address: str) -> Subject:
    """Return the subject of an e-mail address."""
    return Subject(SubjectKind.ADDRESS, address)


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person with an address, in one browser."""

    workspace: SampleWorkspace
    address: str
    browser: bytes

    @classmethod
    def create(cls, workspace: SampleWorkspace, address: str) -> Visitor:
        """Return somebody in a browser that nobody else has."""
        return cls(workspace, address, new_secret())

    async def become_contact(self, customer_id: CustomerId | None = None) -> CustomerId:
        """Add the person to a customer, or to a new one."""
        customer_id = customer_id or await self.workspace.create_customer()
        async with self.workspace.database.scope(self.workspace.workspace_id):
            await add_contact(customer_id, email=self.address, name="Ana Silva", clock=self.workspace.clock)
        return customer_id

    async def request_code(
        self,
        purpose: CodePurpose = CodePurpose.SIGN_IN,
        *,
        contacts_only: bool = False,
        customer_id: CustomerId | None = None,
    ) -> CodeId:
        """Ask for a code; returns the request's id."""
        async with self.workspace.database.scope(self.workspace.workspace_id):
            await actions.request_code(
                purpose,
                self.address,
                browser_hash=self.browser,
                contacts_only=contacts_only,
                customer_id=customer_id,
            )
            return CodeId(await fetch_value(_NEWEST, self.workspace.workspace_id, self.address))

    async def receive_code(self, code_id: CodeId) -> str | None:
        """Return the code that the worker makes, None if it sends none."""
        async with self.workspace.database.scope(self.workspace.workspace_id):
            made = await actions.make_code(code_id, self.workspace.sealer)
        return None if made is None else made.code

    async def receive_newest_code(self) -> str | None:
        """Return the code of the address's newest request, None if it gets none."""
        async with self.workspace.database.scope(self.workspace.workspace_id):
            code_id = CodeId(await fetch_value(_NEWEST, self.workspace.workspace_id, self.address))
        return await self.receive_code(code_id)

    async def get_code(self, purpose: CodePurpose = CodePurpose.SIGN_IN) -> str:
        """Ask for a code and receive it."""
        code = await self.receive_code(await self.request_code(purpose))
        assert code is not None
        return code

    async def check_code(self, code: str, purpose: CodePurpose = CodePurpose.SIGN_IN) -> CodeId:
        """Enter a code in this browser."""
        return await actions.check_code(
            self.workspace.database,
            self.workspace.workspace_id,
            purpose,
            self.address,
            browser_hash=self.browser,
            code=code,
            sealer=self.workspace.sealer,
        )

    async def begin_session(self, code_id: CodeId) -> NewSession:
        """Use up a code that was right."""
        async with self.workspace.database.scope(self.workspace.workspace_id):
            return await actions.create_session(
                code_id, sealer=self.workspace.sealer, user_agent="Firefox 140 on Linux"
            )

    async def sign_in(self) -> NewSession:
        """Ask for a code, enter it and begin a session, however often the address did before."""
        await self.age_codes(days=1)
        return await self.begin_session(await self.check_code(await self.get_code()))

    async def enrol(self) -> EnrolledAuthenticator:
        """Set an authenticator up with the code of the present step; of its recovery codes only two are stored."""
        workspace, subject = self.workspace, own(self.address)
        async with workspace.database.scope(workspace.workspace_id):
            begun = await actions.begin_enrolment(subject, sealer=workspace.sealer)
        step = await self.find_step()
        authenticator_id, salt = await check_first_code(
            workspace.database,
            workspace.workspace_id,
            subject,
            compute_code(begun.secret, step),
            workspace.sealer,
        )
        codes = make_recovery_codes()[:2]
        hashes = await asyncio.to_thread(hash_recovery_codes, codes, salt)
        async with workspace.database.scope(workspace.workspace_id):
            await store_enrolment(authenticator_id, hashes)
        return EnrolledAuthenticator(authenticator_id, begun.secret, step, codes)

    async def find_step(self) -> int:
        """Return the present step of authenticators, by the database's clock."""
        async with self.workspace.database.scope(self.workspace.workspace_id):
            step: int = await fetch_value("SELECT floor(extract(epoch FROM now()) / 30)::bigint")
        return step

    async def check_totp(self, code: str) -> CheckedFactor:
        """Enter a code of the authenticator, or a recovery code."""
        return await actions.check_totp(
            self.workspace.database,
            self.workspace.workspace_id,
            own(self.address),
            code,
            self.workspace.sealer,
        )

    async def age_codes(self, **age: float) -> None:
        """Make the address's codes older, as if so much time had passed: `age_codes(minutes=9)`."""
        workspace_id = self.workspace.workspace_id
        async with self.workspace.database.scope(workspace_id):
            await execute(_AGE, workspace_id, self.address, dt.timedelta(**age))
