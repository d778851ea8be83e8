"""The Stripe sandbox as a process: `python -m ops.sandbox.stripe --port 9200 --hooks-url http://hooks.localhost:8000`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Final

from ops.sandbox.stripe.asgi import serve
from ops.sandbox.stripe.server import Sandbox
from ops.sandbox.stripe.state import load_state, save_state

_SAVE_PAUSE_S: Final = 1.0


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.sandbox.stripe", description="A Stripe on this machine."
    )
    parser.add_argument("--port", type=int, default=None, help="a free one by default")
    parser.add_argument(
        "--hooks-url", default="", help="where events go: paths /stripe/account and /stripe/connect"
    )
    parser.add_argument(
        "--account-secret", action="append", default=[], help="signs thin events; may be repeated"
    )
    parser.add_argument(
        "--connect-secret", action="append", default=[], help="signs the other events; likewise"
    )
    parser.add_argument(
        "--state", type=Path, default=None, help="a file that keeps everything over a restart"
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(parser.parse_args()))


async def _run(options: argparse.Namespace) -> None:
    sandbox = Sandbox(
        account_secrets=options.account_secret,
        connect_secrets=options.connect_secret,
        hooks_url=options.hooks_url,
    )
    if options.state is not None:
        load_state(sandbox, options.state)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with serve(sandbox.app, port=options.port) as url:
        sandbox.base_url = sandbox.payments.base_url = url
        print(url, flush=True)
        tasks = [asyncio.create_task(sandbox.deliveries.run())]
        if options.state is not None:
            tasks.append(asyncio.create_task(_save_often(sandbox, options.state)))
        await stopped.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if options.state is not None:
        save_state(sandbox, options.state)


async def _save_often(sandbox: Sandbox, path: Path) -> None:
    """Save after changes: the demo may be killed."""
    saved = -1
    while True:
        await asyncio.sleep(_SAVE_PAUSE_S)
        # Everything that changes a payment or account crosses the contract or is an event.
        if sandbox.contract.checked != saved:
            saved = sandbox.contract.checked
            save_state(sandbox, path)


if __name__ == "__main__":
    main()
