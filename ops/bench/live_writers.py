"""Who writes in a chaos run: units of work with events, and a customer who posts comments through the gateway."""

from __future__ import annotations

import html
import re
from collections import Counter
from random import Random
from urllib.parse import urlencode
from uuid import UUID

from kernel.errors import PortalError
from kernel.ids import WorkspaceId, new_nonce
from kernel.live import Audience, NewEvent, append_many
from kernel.store import Database
from ops.bench.live_http import Answer, exchange
from ops.bench.live_transports import Address

KIND = "comment.posted"
FORM = "application/x-www-form-urlencoded"
PUBLIC_SHARE = 0.7
ROLLBACK_SHARE = 0.05
#: One unit of work in so many has more events than a wake-up carries.
LARGE_EVERY = 25
_LARGE = 120
_PADDING = "x" * 300


class _UndoneError(Exception):
    """A unit of work that is rolled back on purpose."""


async def write_events(
    database: Database, workspace_id: WorkspaceId, stream_id: UUID, random: Random, counts: Counter[str]
) -> None:
    """Append events in one unit of work; a failure of Postgres is counted, whatever became of the unit."""
    is_large = random.randrange(LARGE_EVERY) == 0
    number = _LARGE if is_large else random.choice((1, 1, 1, 2, 3))
    payload = {"padding": _PADDING} if is_large else {}
    events = [
        NewEvent(
            stream_id,
            Audience.PUBLIC if random.random() < PUBLIC_SHARE else Audience.STAFF,
            KIND,
            payload,
            new_nonce(),
        )
        for _ in range(number)
    ]
    try:
        async with database.scope(workspace_id):
            # In one statement, or in several of one unit.
            for part in [events] if random.random() < 0.5 else [[event] for event in events]:
                await append_many(part)
            _roll_back(is_meant=random.random() < ROLLBACK_SHARE)
    except _UndoneError:
        counts["unit rolled back"] += 1
    except PortalError:
        counts["unit failed"] += 1
    else:
        counts["event written"] += number


def _roll_back(*, is_meant: bool) -> None:
    if is_meant:
        raise _UndoneError


class CommentPoster:
    """A customer's browser that posts comments on one thread."""

    def __init__(self, address: Address) -> None:
        """Open the page on the first post."""
        self._address = address
        self._cookie = ""
        self._fields: dict[str, str] = {}

    async def post(self, body: str) -> Answer:
        """Post a comment; ConnectionError, OSError or TimeoutError when it cannot be known whether it was stored."""
        if not self._fields:
            await self._open_page()
        fields = self._fields | {
            "client_id": new_nonce(),
            "name": "Ana Silva",
            "email": "ana@kunde.example",
            "body": body,
        }
        return await exchange(
            self._address.port,
            self._address.authority,
            f"/i/{self._address.token}/comments",
            method="POST",
            headers={
                "Accept": "application/json",
                "Content-Type": FORM,
                "Cookie": self._cookie,
                "Origin": self._address.origin,
            },
            body=urlencode(fields).encode(),
        )

    async def _open_page(self) -> None:
        path = f"/i/{self._address.token}"
        page = await exchange(
            self._address.port, self._address.authority, path, headers={"Accept": "text/html"}
        )
        form = re.search(
            rf'<form[^>]*action="{path}/comments"[^>]*>(.*?)</form>', page.body.decode(), re.DOTALL
        )
        if page.status != 200 or form is None:
            message = f"the page answered {page.status} without a form for comments"
            raise ConnectionError(message)
        named = re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', form[1])
        self._fields = {name: html.unescape(value) for name, value in named}
        self._cookie = page.headers.get("set-cookie", "").partition(";")[0]
