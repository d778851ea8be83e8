"""Reads Stripe's own list of the events of a connected account: what was never delivered is in it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from kernel.errors import Invalid
from kernel.telemetry.logs import get_logger
from tenants.connect.webhooks import ACCOUNT_EVENTS, PAYMENT_EVENTS, read_listed_event

if TYPE_CHECKING:
    from stripe import Event, ListObject, RequestOptions, StripeClient
    from stripe.params import EventListParams

    from tenants.connect.client import StripeApi
    from tenants.connect.inbox.values import VerifiedEvent

#: Stripe keeps events for 30 days.
LONGEST: Final = dt.timedelta(days=29)
_PAGE: Final = 100
# Stripe takes 20 types at most.
_TYPES: Final = sorted(PAYMENT_EVENTS | ACCOUNT_EVENTS)

_log: Final = get_logger("connect.inbox")


async def list_events(api: StripeApi, account_id: str, *, since: dt.datetime) -> tuple[VerifiedEvent, ...]:
    """Return the events of an account that Stripe made since a time, the oldest first; errors as `StripeApi.read`."""
    events: list[VerifiedEvent] = []
    after: str | None = None
    while True:
        page = await _read_page(api, account_id, since, after)
        for each in page.data:
            try:
                events.append(read_listed_event(each.to_dict(), account_id))
            except Invalid:
                _log.warning("listed event not read", account=account_id, stripe_event=each.id)
        if not page.has_more or not page.data:
            return tuple(reversed(events))
        after = page.data[-1].id


async def _read_page(
    api: StripeApi, account_id: str, since: dt.datetime, after: str | None
) -> ListObject[Event]:
    params: EventListParams = {
        "created": {"gte": int(since.timestamp())},
        "types": _TYPES,
        "limit": _PAGE,
    }
    if after is not None:
        params["starting_after"] = after

    async def request(client: StripeClient, options: RequestOptions) -> ListObject[Event]:
        return await client.v1.events.list_async(params, options)

    return await api.read(request, account_id=account_id)
