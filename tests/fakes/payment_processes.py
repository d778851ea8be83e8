"""Gateways, workers and reconcilers of a workspace as processes that a test may kill at any moment.

`python -m tests.fakes.payment_processes` imports everything once, and forks a process for each line that it reads: JSON
with what to do. It answers with the id of the process.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from kernel.clock import SystemClock
from kernel.ids import WorkspaceId
from kernel.jobs import enqueue
from kernel.seals import Sealer
from kernel.setting_parsers import DEMO_SECRET
from kernel.store import Database
from ops.sandbox.stripe.server import Sandbox
from tenants.connect.inbox.jobs import ReconcileAccount
from tenants.ids import InvoiceId
from tests.fakes.paid_workspaces import PAYER, PaidWorkspace
from tests.fakes.sample_workspaces import SampleWorkspace
from tests.fakes.scripted_stripe import build_settings
from tests.fakes.stripe_accounts import build_api

#: A job of a killed worker may be claimed again so soon.
LEASE = dt.timedelta(milliseconds=300)


async def act(order: dict[str, Any]) -> None:
    """Do what an order says, as the process of its role."""
    database = await Database.open(order["database_url"], size=4, name="killed", actor=PAYER)
    settings = build_settings(order["api_url"])
    api = build_api(settings.api_url)
    workspace = SampleWorkspace(
        WorkspaceId(UUID(order["workspace_id"])),
        "killed",
        database,
        Sealer((("test", DEMO_SECRET),)),
        SystemClock(),
    )
    # The sandbox that is served is in the test's process; this one is not asked anything.
    world = PaidWorkspace(workspace, Sandbox(), api, order["account_id"], settings, lease=LEASE)
    if order["role"] == "gateway":
        invoice_id = InvoiceId(UUID(order["invoice_id"]))
        await world.pay(invoice_id, token=order["token"], nonce=order["nonce"])
    elif order["role"] == "worker":
        await world.run_jobs()
    else:
        async with database.scope(workspace.workspace_id):
            await enqueue(ReconcileAccount())
        await world.run_jobs()
    await api.close()
    await database.close()


def main() -> None:
    """Fork a process for each order."""
    # Nobody waits for the children: the kernel forgets them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    answer("ready")
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            # The log must not mix with the answers.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            asyncio.run(act(json.loads(line)))
            os._exit(0)
        answer(str(pid))


def answer(text: str) -> None:
    """Answer the process that gives the orders."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@dataclass(slots=True)
class ProcessStarter:
    """The process that forks the others."""

    process: subprocess.Popen[str]

    @classmethod
    def open(cls) -> ProcessStarter:
        """Start it, and wait until it has imported everything."""
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.fakes.payment_processes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        return cls(process)

    def start(self, order: dict[str, Any]) -> int:
        """Start a process; returns its id."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def kill(pid: int) -> bool:
    """Kill a process; False if it had ended."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
