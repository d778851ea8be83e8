"""Whether somebody is a contact cannot be learned from answers: the statements are the same, and so are the errors."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable
from typing import Any

import pytest

from kernel.errors import PortalError
from kernel.settings import Settings
from kernel.store import Database
from kernel.store.unit import current
from tests.conftest import OPERATOR
from tests.fakes.proofs import Visitor
from tests.fakes.sample_workspaces import SampleWorkspace


class Recorder:
    """A visitor's requests on the only connection of a database: what was answered, and which statements were sent."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._statements: list[str] = []
        self.answers: list[tuple[str, str, list[str]]] = []

    async def connect(self) -> None:
        """Listen to the connection from now on."""
        async with self._visitor.workspace.database.scope(self._visitor.workspace.workspace_id):
            driver: Any = current().connection()
            driver.add_query_logger(self._listen)

    async def ask(self, call: Awaitable[object]) -> None:
        try:
            await call
        except PortalError as error:
            self.answers.append((error.code, str(error), sorted(error.data)))
        else:
            self.answers.append(("done", "", []))

    async def read_statements(self) -> list[str]:
        # The driver calls listeners in the next cycle of the loop.
        await asyncio.sleep(0)
        return list(self._statements)

    def _listen(self, record: Any) -> None:
        self._statements.append(record.query)


@pytest.mark.parametrize("contacts_only", [True, False])
async def test_known_and_unknown_addresses_get_the_same_answers_by_the_same_statements(
    acme: SampleWorkspace, settings: Settings, *, contacts_only: bool
) -> None:
    """A code, a request too early, five wrong codes and one too many."""
    recorders = []
    for name in ("ana", "eve"):
        worker = Visitor.create(acme, f"{name}@buyer.example")
        if name == "ana":
            await worker.become_contact()
        narrow = await Database.open(settings.database_url, size=1, name="narrow", actor=OPERATOR)
        visitor = dataclasses.replace(worker, workspace=dataclasses.replace(acme, database=narrow))
        recorder = Recorder(visitor)
        await recorder.connect()
        await recorder.ask(visitor.request_code(contacts_only=contacts_only))
        await worker.receive_newest_code()
        await recorder.ask(visitor.request_code(contacts_only=contacts_only))
        for _ in range(6):
            await recorder.ask(visitor.check_code("000000"))
        recorders.append((recorder.answers, await recorder.read_statements()))
        await narrow.close()
    (known, statements), (unknown, others) = recorders
    assert known == unknown
    assert [answer[0] for answer in known] == [
        "done",
        "code.throttled",
        *["code.wrong"] * 5,
        "code.attempts",
    ]
    assert statements == others
    assert sum("one_time_code" in statement for statement in statements) > 8
