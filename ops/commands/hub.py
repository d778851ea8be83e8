"""portal hub: runs the process that readers follow their invoices through."""

import click

from ops.command_context import read_settings
from web.hub.process import serve


@click.command()
def hub() -> None:
    """Tell readers over websockets what happens, until SIGTERM; then send them to another hub: run two.

    A second SIGTERM closes all connections at once.
    """
    try:
        serve(read_settings())
    except OSError as error:
        message = f"The hub cannot listen: {error}. Is the port (PORTAL_PORT or PORTAL_METRICS_PORT) in use?"
        raise click.ClickException(message) from error
