"""The processor of the product, interrupted between two requests where a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from kernel.errors import PortalError
from tenants.connect.client import StripeApi
from tenants.connect.processor import StripeProcessor
from tenants.payments.processor import NewPayment, ProviderPayment, ProviderRefund

_T = TypeVar("_T")


class ProcessDiedError(Exception):
    """The process ended here: nothing after this point is done."""


class Pause:
    """A request waits here until the test lets it go on."""

    def __init__(self) -> None:
        self.entered, self.released = asyncio.Event(), asyncio.Event()


class InterruptedProcessor(StripeProcessor):
    """Dies or fails before or after a request, once, or waits before it; the requests are those of the product."""

    def __init__(self, api: StripeApi) -> None:
        super().__init__(api)
        self.deaths: set[tuple[str, str]] = set()
        """("before" | "after", method)."""
        self.errors: dict[tuple[str, str], PortalError] = {}
        """What is raised there instead."""
        self.pauses: dict[str, Pause] = {}
        """By method."""

    async def create_payment(self, account_id: str, payment: NewPayment) -> ProviderPayment:
        return await self._run("create", super().create_payment(account_id, payment))

    async def confirm_payment(self, account_id: str, intent_id: str, **options: Any) -> ProviderPayment:
        return await self._run("confirm", super().confirm_payment(account_id, intent_id, **options))

    async def load_payment(self, account_id: str, intent_id: str) -> ProviderPayment:
        return await self._run("load", super().load_payment(account_id, intent_id))

    async def cancel_payment(self, account_id: str, intent_id: str) -> ProviderPayment:
        return await self._run("cancel", super().cancel_payment(account_id, intent_id))

    async def create_refund(self, account_id: str, intent_id: str, **options: Any) -> ProviderRefund:
        return await self._run("refund", super().create_refund(account_id, intent_id, **options))

    async def _run(self, method: str, request: Awaitable[_T]) -> _T:
        try:
            if pause := self.pauses.get(method):
                pause.entered.set()
                await pause.released.wait()
            self._interrupt("before", method)
        except BaseException:
            request.close()  # type: ignore[attr-defined]
            raise
        answer = await request
        self._interrupt("after", method)
        return answer

    def _interrupt(self, when: str, method: str) -> None:
        if (when, method) in self.deaths:
            self.deaths.clear()
            raise ProcessDiedError
        if error := self.errors.pop((when, method), None):
            raise error
