"""portal worker, relay, scheduler: runs one process."""

from collections.abc import Callable
from dataclasses import replace

import click

from kernel.errors import Invalid
from kernel.settings import Settings
from ops.command_context import read_settings
from workers import relay as relay_process
from workers import scheduler as scheduler_process
from workers import worker as worker_process


@click.command()
@click.option("--queue", "queues", multiple=True, metavar="NAME", help="Serve this queue; may be repeated.")
def worker(queues: tuple[str, ...]) -> None:
    """Run jobs until SIGTERM; running jobs are finished first, a second SIGTERM releases them."""
    settings = read_settings()
    known = worker_process.create_handlers().queues
    chosen = queues or settings.job_queues
    if unknown := [name for name in chosen if name not in known]:
        message = f"There is no queue {', '.join(unknown)}; the queues are {', '.join(known)}."
        raise Invalid("job.unknown_queue", message)
    _serve(worker_process.serve, replace(settings, job_queues=chosen))


@click.command()
def relay() -> None:
    """Send due jobs to the workers until SIGTERM; run two, so that one can fail."""
    _serve(relay_process.serve, read_settings())


@click.command()
def scheduler() -> None:
    """Turn schedules into jobs until SIGTERM; run two, so that one can fail."""
    _serve(scheduler_process.serve, read_settings())


def _serve(serve: Callable[[Settings], None], settings: Settings) -> None:
    try:
        serve(settings)
    except OSError as error:
        message = f"The process cannot listen: {error}. Is the port (PORTAL_METRICS_PORT) in use?"
        raise click.ClickException(message) from error
