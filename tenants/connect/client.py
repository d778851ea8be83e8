"""The client of Stripe's API: one for a process, with time-outs, retries and circuit breaker of our own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic_ns
from typing import TYPE_CHECKING, Final, TypeVar

import stripe

from kernel.ids import choose_between
from kernel.store import NoUnitOfWork, StoreMisuse, current
from kernel.telemetry.logs import get_logger
from tenants.connect.breaker import Breaker
from tenants.connect.errors import find_code, is_temporary, translate, unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from stripe import RequestOptions, StripeClient

    from kernel.stripe_settings import StripeSettings

#: The version whose objects this package reads; a test holds the SDK to it.
API_VERSION: Final = "2026-10-28.endive"
# Stripe's own advice is 80 s: no page waits so long. A request that was cut off is repeated with the same key.
_TIMEOUT: Final = timedelta(seconds=12)
# The account of the platform itself, for the breaker.
_PLATFORM: Final = ""

_T = TypeVar("_T")
_log: Final = get_logger("connect.client")


@dataclass(frozen=True, slots=True)
class Retries:
    """How often, and for how long, a request is repeated that may succeed later."""

    attempts: int = 4
    first_pause: timedelta = timedelta(milliseconds=300)
    """Doubled before each further attempt, jittered by half: many processes must not come back in step."""
    budget: timedelta = timedelta(seconds=15)
    """No attempt begins later than this after the first one."""

    def choose_pause(self, attempt: int) -> timedelta:
        """Return how long to wait after an attempt, counted from 1."""
        longest = self.first_pause * 2 ** (attempt - 1)
        return timedelta(seconds=choose_between((longest // 2).total_seconds(), longest.total_seconds()))


class StripeApi:
    """Sends requests with the platform's key, on behalf of connected accounts.

    The SDK's retries are off: it does not repeat a plain 429, and would not know our budget.
    """

    def __init__(
        self,
        settings: StripeSettings,
        *,
        retries: Retries | None = None,
        breaker: Breaker | None = None,
        timeout: timedelta = _TIMEOUT,
    ) -> None:
        """Build the client; connections are made by the first requests, on their event loop."""
        self._timeout = timeout
        self._http = stripe.HTTPXClient(timeout=timeout.total_seconds())
        self._client = stripe.StripeClient(
            settings.secret_key,
            stripe_version=API_VERSION,
            base_addresses={"api": settings.api_url},
            max_network_retries=0,
            http_client=self._http,
        )
        self._retries = retries or Retries()
        self.breaker = breaker or Breaker()
        self.is_live = settings.is_live
        """Whether the key moves real money."""

    async def read(
        self,
        request: Callable[[StripeClient, RequestOptions], Awaitable[_T]],
        *,
        account_id: str | None = None,
    ) -> _T:
        """Return what a request that changes nothing reads; errors as `errors.translate` says."""
        return await self._send(request, account_id, {})

    async def write(
        self,
        request: Callable[[StripeClient, RequestOptions], Awaitable[_T]],
        *,
        key: str,
        account_id: str | None = None,
    ) -> _T:
        """Return what a request makes or changes. `key` makes its repetitions one (idempotency key).

        stripe.CardError for a decline; other errors as `errors.translate` says.
        """
        return await self._send(request, account_id, {"idempotency_key": key})

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def _send(
        self,
        request: Callable[[StripeClient, RequestOptions], Awaitable[_T]],
        account_id: str | None,
        options: RequestOptions,
    ) -> _T:
        _require_no_unit()
        if account_id is not None:
            options["stripe_account"] = account_id
        account = account_id or _PLATFORM
        if not self.breaker.allows(account):
            raise unavailable("breaker_open")
        try:
            result = await self._repeat(request, options)
        except stripe.StripeError as error:
            if _is_outage(error):
                self.breaker.record_failure(account)
            else:
                self.breaker.record_success(account)
            if isinstance(error, stripe.CardError):
                raise
            _log_error(error, account_id)
            raise translate(error) from error
        self.breaker.record_success(account)
        return result

    async def _attempt(
        self, request: Callable[[StripeClient, RequestOptions], Awaitable[_T]], options: RequestOptions
    ) -> _T:
        try:
            # The HTTP client's own limit is for each read: an answer that drips in would have no end.
            async with asyncio.timeout(self._timeout.total_seconds()):
                return await request(self._client, options)
        except TimeoutError as error:
            message = "Stripe did not answer in time."
            raise stripe.APIConnectionError(message, should_retry=True) from error  # type: ignore[no-untyped-call]

    async def _repeat(
        self, request: Callable[[StripeClient, RequestOptions], Awaitable[_T]], options: RequestOptions
    ) -> _T:
        started_at_ns = monotonic_ns()
        attempt = 1
        while True:
            try:
                return await self._attempt(request, options)
            except stripe.StripeError as error:
                pause = self._retries.choose_pause(attempt)
                elapsed = timedelta(microseconds=(monotonic_ns() - started_at_ns) // 1000)
                is_late = elapsed + pause > self._retries.budget
                if attempt >= self._retries.attempts or is_late or not _may_repeat(error):
                    raise
            attempt += 1
            await asyncio.sleep(pause.total_seconds())


def _require_no_unit() -> None:
    """Raise StoreMisuse in a unit of work: its connection and its locks would wait for Stripe."""
    try:
        current()
    except NoUnitOfWork:
        return
    message = "A request to Stripe belongs outside of units of work."
    raise StoreMisuse(message)


def _may_repeat(error: stripe.StripeError) -> bool:
    # Stripe says so of an error that it would only replay for the same key.
    return is_temporary(error) and (error.headers or {}).get("stripe-should-retry") != "false"


def _is_outage(error: stripe.StripeError) -> bool:
    """Tell whether the account, not the request, is at fault: a lock on one object is no outage."""
    return is_temporary(error) and find_code(error) not in {"lock_timeout", "idempotency_key_in_use"}


def _log_error(error: stripe.StripeError, account_id: str | None) -> None:
    _log.warning(
        "stripe request failed",
        error=type(error).__name__,
        status=error.http_status,
        reason=find_code(error),
        account=account_id,
        stripe_request=error.request_id,
    )
