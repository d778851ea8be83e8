"""The worker: registers the function of each kind of job, and runs jobs until a signal."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from datetime import timedelta
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Final
from uuid import UUID

from kernel.clock import SystemClock
from kernel.errors import Unavailable
from kernel.ids import new_id
from kernel.jobs.broker import create_worker, open_broker
from kernel.jobs.load import REGISTRATION_INTERVAL_S, register_worker, unregister_worker
from kernel.mail import Mailer
from kernel.process import Process, open_process
from kernel.seals import Sealer
from kernel.store.roles import APP
from kernel.telemetry import logs
from kernel.telemetry.health import Check
from tenants import schema
from tenants.access.jobs import PurgeProofs, SendCode
from tenants.activity.jobs import PruneEvents
from tenants.comments.jobs import NotifyThread, SendComments
from tenants.connect.client import StripeApi
from tenants.connect.inbox.jobs import ApplyStripeEvent, ReconcileAccount
from tenants.connect.jobs import RefreshAccount, RegisterPaymentDomain
from tenants.connect.processor import StripeProcessor
from tenants.invoices.jobs import (
    PDF_BULK_QUEUE,
    PDF_QUEUES,
    IssueFreshLinks,
    RenderPdf,
    SendFreshLinks,
    SendInvoice,
)
from tenants.payments.jobs import CheckPayment, RefundPayment, RestartPaymentChecks
from tenants.workspaces.jobs import FetchLogo, PurgeReleasedDomains
from workers.actors.activity import prune_events
from workers.actors.domains import purge_released_domains
from workers.actors.logos import create_fetcher, create_logo_handler
from workers.actors.mails import MailContext, MailJobs
from workers.actors.payments import PaymentJobs, Provider
from workers.actors.pdfs import create_pdf_handler
from workers.actors.proofs import purge_proofs
from workers.actors.stripe_events import StripeContext, StripeJobs
from workers.handlers import Handlers
from workers.pdf.render_service import RenderService
from workers.runner import Runner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import dramatiq

    from kernel.settings import Settings
    from kernel.telemetry.metrics import Metrics
    from workers.actors.pdfs import PdfService

# Kubernetes gives 30 s from SIGTERM to SIGKILL.
GRACE_S: Final = 20.0
_UNREGISTER_S: Final = 1.0
# For releasing the jobs that are not finished.
_RELEASE_S: Final = 3.0
# For ending Chromium; less after a second signal.
_CLOSE_S: Final = 5.0
_FORCED_CLOSE_S: Final = 0.5
_HEALTH_INTERVAL_S: Final = 0.25

_log: Final = logs.get_logger("workers.worker")


def create_handlers(
    pdf_service: PdfService | None = None,
    mail_context: MailContext | None = None,
    stripe_context: StripeContext | None = None,
) -> Handlers:
    """Return the functions for all kinds of job of the product; without a service or context, its jobs fail."""
    handlers = Handlers()
    handlers.register(PurgeReleasedDomains, purge_released_domains)
    handlers.register(PruneEvents, prune_events)
    handlers.register(PurgeProofs, purge_proofs)
    handlers.register(FetchLogo, create_logo_handler(create_fetcher()))
    mail_jobs = MailJobs(mail_context)
    handlers.register(SendCode, mail_jobs.send_code)
    handlers.register(NotifyThread, mail_jobs.notify_thread)
    handlers.register(SendComments, mail_jobs.send_comments)
    handlers.register(SendInvoice, mail_jobs.send_invoice)
    handlers.register(IssueFreshLinks, mail_jobs.issue_fresh_links)
    handlers.register(SendFreshLinks, mail_jobs.send_fresh_links)
    stripe_jobs = StripeJobs(stripe_context)
    handlers.register(ApplyStripeEvent, stripe_jobs.apply_event)
    handlers.register(ReconcileAccount, stripe_jobs.reconcile_account)
    handlers.register(RefreshAccount, stripe_jobs.refresh_account)
    handlers.register(RegisterPaymentDomain, stripe_jobs.register_domain)
    payment_jobs = PaymentJobs(
        None if stripe_context is None else Provider(stripe_context.processor, stripe_context.metrics)
    )
    handlers.register(CheckPayment, payment_jobs.check_payment)
    handlers.register(RefundPayment, payment_jobs.send_refund)
    handlers.register(RestartPaymentChecks, payment_jobs.restart_checks)
    handlers.register(RenderPdf, create_pdf_handler(pdf_service), queue=PDF_BULK_QUEUE)
    return handlers


def create_mail_context(settings: Settings, metrics: Metrics) -> MailContext:
    """Return what the jobs that send mails need, by the settings."""
    mailer = Mailer.from_settings(settings, clock=SystemClock(), metrics=metrics)
    return MailContext(mailer, Sealer(settings.secret_keys), settings.build_public_url)


@asynccontextmanager
async def open_stripe_context(settings: Settings, metrics: Metrics) -> AsyncIterator[StripeContext | None]:
    """Open what reaches Stripe; None without a key."""
    if settings.stripe is None:
        yield None
        return
    api = StripeApi(settings.stripe)
    try:
        yield StripeContext(api, StripeProcessor(api), metrics)
    finally:
        await api.close()


def serve(settings: Settings, handlers: Handlers | None = None, *, grace_s: float = GRACE_S) -> None:
    """Run jobs until SIGTERM or SIGINT, finish running ones within `grace_s` seconds; a second signal ends at once.

    Jobs that are not finished are released, so that another worker runs them at once. A Chromium is launched if one
    of the queues is a PDF queue; while it cannot render, the worker is not ready, and runs the other jobs.
    """
    asyncio.run(_serve(settings, handlers, grace_s))


async def _serve(settings: Settings, handlers: Handlers | None, grace_s: float) -> None:
    # Each job may hold a connection for itself and one for its heartbeat.
    size = max(settings.pool_size, 2 * settings.job_slots + 1)
    opening = open_process("worker", settings, role=APP, pool_size=size, migrations=schema.migrations())
    async with opening as process:
        queues = settings.job_queues or (handlers or create_handlers()).queues
        async with (
            _open_render_service(process, queues) as render_service,
            open_stripe_context(settings, process.metrics) as stripe_context,
        ):
            if handlers is None:
                mail_context = create_mail_context(settings, process.metrics)
                handlers = create_handlers(render_service, mail_context, stripe_context)
            await _run(process, handlers, queues, render_service, grace_s)


async def _run(
    process: Process,
    handlers: Handlers,
    queues: tuple[str, ...],
    render_service: RenderService | None,
    grace_s: float,
) -> None:
    settings = process.settings
    runner = Runner(
        process.database,
        handlers,
        lease=timedelta(seconds=settings.job_lease_s),
        metrics=process.metrics,
        clock=SystemClock(),
    )
    loop = asyncio.get_running_loop()

    def run_job(workspace_id: UUID, job_id: UUID) -> None:
        asyncio.run_coroutine_threadsafe(runner.run(workspace_id, job_id), loop).result()

    worker = create_worker(
        open_broker(settings.jobs_redis_url),
        run_job,
        queues=queues,
        threads=settings.job_slots,
        low_priority_queues=handlers.low_priority_queues,
    )
    await asyncio.to_thread(worker.start)
    _log.info("listening", queues=list(queues), slots=settings.job_slots)
    process.mark_started()
    registration = asyncio.create_task(_register(process, queues, render_service))
    await process.shutdown.requested.wait()
    registration.cancel()
    await asyncio.wait([registration])
    await _stop(process, worker, runner, grace_s)


async def _register(process: Process, queues: tuple[str, ...], render_service: RenderService | None) -> None:
    """Refresh the registration of this worker until cancelled: with PDF queues only while it can render."""
    worker_id, registered_at = new_id(), -REGISTRATION_INTERVAL_S
    slots = process.settings.job_slots if render_service is None else render_service.concurrency
    registered_queues: tuple[str, ...] = ()
    try:
        while True:
            can_render = render_service is None or await render_service.read_failure() is None
            served_queues = queues if can_render else tuple(name for name in queues if name not in PDF_QUEUES)
            if served_queues != registered_queues or monotonic() - registered_at >= REGISTRATION_INTERVAL_S:
                try:
                    async with process.database.unbound():
                        await register_worker(worker_id, served_queues, slots=slots)
                except Unavailable:
                    pass
                except Exception as error:  # noqa: BLE001  -- such as no table before its migration
                    _log.warning("worker not registered", reason=str(error))
                    registered_queues, registered_at = served_queues, monotonic()
                else:
                    registered_queues, registered_at = served_queues, monotonic()
            await asyncio.sleep(_HEALTH_INTERVAL_S)
    finally:
        # A registration that stays expires soon: the jobs that run must not wait for Postgres.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_UNREGISTER_S), process.database.unbound():
                await unregister_worker(worker_id)


@asynccontextmanager
async def _open_render_service(
    process: Process, queues: tuple[str, ...]
) -> AsyncIterator[RenderService | None]:
    """Open the render service if one of the queues needs it; it is closed after the last job has ended."""
    if not set(queues) & set(PDF_QUEUES):
        yield None
        return
    render_service = RenderService(process.settings, process.database, process.metrics, SystemClock())
    process.health.add_check(Check("pdf", render_service.read_failure))
    render_service.start()
    try:
        yield render_service
    finally:
        await render_service.close(within_s=_FORCED_CLOSE_S if process.shutdown.forced.is_set() else _CLOSE_S)


async def _stop(process: Process, worker: dramatiq.Worker, runner: Runner, grace_s: float) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        worker.stop(timeout=round(grace_s * 1000))
        loop.call_soon_threadsafe(stopped.set)

    # A daemon thread: while Redis is down the call may block for longer than the grace period.
    Thread(target=stop, daemon=True, name="stop").start()
    waits = [asyncio.create_task(event.wait()) for event in (stopped, process.shutdown.forced)]
    await asyncio.wait(waits, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
    for task in waits:
        task.cancel()
    if not stopped.is_set():
        _log.warning("stopping with jobs running", forced=process.shutdown.forced.is_set())
        # While Postgres is down the leases expire.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RELEASE_S):
                await runner.release_all()
