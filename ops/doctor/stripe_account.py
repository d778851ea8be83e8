"""Examines the key of Stripe: by one request that reads, and changes nothing."""

from collections.abc import AsyncIterator
from datetime import timedelta

from kernel.errors import PortalError
from kernel.settings import Profile, Settings
from ops.doctor.finding import Finding, ReportPassed
from tenants.connect.client import Retries, StripeApi

_TIMEOUT = timedelta(seconds=5)


async def examine_stripe(settings: Settings, report_passed: ReportPassed) -> AsyncIterator[Finding]:
    """Examine whether Stripe accepts the key; without one there is nothing to examine."""
    stripe = settings.stripe
    if stripe is None:
        return
    if settings.profile is Profile.PRODUCTION and not stripe.is_live:
        problem = "The keys of Stripe are test keys: customers cannot pay with real cards."
        yield Finding(problem, "Set the live keys, unless this installation is for trying out.")
    api = StripeApi(stripe, retries=Retries(attempts=2), timeout=_TIMEOUT)
    try:
        await api.read(lambda client, options: client.v2.core.accounts.list_async({"limit": 1}, options))
    except PortalError as error:
        problem = f"Stripe does not answer, or refuses the key: {error.data.get('reason') or error.code}."
        yield Finding(
            problem, "Check PORTAL_STRIPE_SECRET_KEY, and that this machine reaches api.stripe.com."
        )
    else:
        report_passed("Stripe accepts the key.")
    finally:
        await api.close()
