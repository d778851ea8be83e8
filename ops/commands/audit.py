"""portal audit and portal events: list the events of a workspace, and verify that nobody changed them."""

import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TextIO
from uuid import UUID

import click

from kernel.ids import WorkspaceId
from ops.command_context import CommandContext, run_command
from ops.commands.options import as_json_option, workspace_option
from ops.commands.output import print_table, read_fields
from tenants.activity import queries
from tenants.activity.actions import RETENTION
from tenants.activity.queries import Anchor, Fault, FaultKind, PlacedEvent

kind_option = click.option("--kind", metavar="KIND", help="Only events of this kind, such as invoice.issued.")
since_option = click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"]),
    metavar="TIME",
    help="Only events from this day or moment on, in UTC: 2026-03-16 or 2026-03-16T09:30:00.",
)
limit_option = click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)

_EXPLANATIONS = {
    FaultKind.ROW_MISSING: "the event before it is missing",
    FaultKind.ROW_REPLACED: "the event before it is another one",
    FaultKind.ROW_CHANGED: "its content was changed",
    FaultKind.NOT_PLACED: "it was not written by the sequencer",
    FaultKind.ANCHOR_DIFFERS: "the head or an anchor names an event that is not there",
    FaultKind.HEAD_MISSING: "the log has no head",
}
# Events are placed later than they happen: those of the oldest anchors may have been pruned already.
_PLACING_MARGIN = timedelta(days=1)


@click.group()
def events() -> None:
    """What happened in a workspace."""


@events.command(name="list")
@workspace_option
@since_option
@kind_option
@limit_option
@as_json_option
def list_events(
    workspace: str, since: datetime | None, kind: str | None, limit: int, *, as_json: bool
) -> None:
    """Print events, the newest first."""
    rows = [read_fields(event) for event in _load_events(workspace, since, kind, limit, audit=False)]
    columns = ("place", "at", "kind", "payload")
    _print_events(rows, columns, as_json=as_json, empty="There is no such event.")


@click.group()
def audit() -> None:
    """Who did what in a workspace, refusals included."""


@audit.command(name="list")
@workspace_option
@since_option
@kind_option
@limit_option
@as_json_option
def list_audit(
    workspace: str, since: datetime | None, kind: str | None, limit: int, *, as_json: bool
) -> None:
    """Print the audit log, the newest entry first."""
    rows = [
        read_fields(event) | {"who": f"{event.actor.kind.value} {event.actor.name or event.actor.id}"}
        for event in _load_events(workspace, since, kind, limit, audit=True)
    ]
    columns = ("place", "at", "who", "kind", "payload", "request_id")
    _print_events(rows, columns, as_json=as_json, empty="There is no such entry.")


@audit.command()
@workspace_option
@click.option(
    "--anchors",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="The relay's log (- for standard input): its anchors show whether the hash chain was computed again.",
)
@as_json_option
def verify(workspace: str, anchors: TextIO | None, *, as_json: bool) -> None:
    """Compare the event log with its hash chain; exit code 1 if anything was changed, removed or added."""

    async def work(context: CommandContext) -> tuple[int, tuple[Fault, ...]]:
        oldest = context.clock.now() - RETENTION + _PLACING_MARGIN
        async with context.scope(workspace, read_only=True) as workspace_id:
            chosen = [
                anchor for anchor in _read_anchors(lines, oldest) if anchor.workspace_id == workspace_id
            ]
            return len(chosen), await queries.verify(chosen)

    lines = [] if anchors is None else anchors.readlines()
    count, faults = run_command(work)
    if as_json:
        print_table([read_fields(fault) for fault in faults], as_json=True, empty="")
    else:
        for fault in faults:
            click.echo(f"✗ {fault.place}: {_EXPLANATIONS[fault.kind]} [{fault.kind.value}]")
        if not faults:
            click.echo(f"No fault was found; {count} anchors were compared.")
    sys.exit(1 if faults else 0)


def _load_events(
    workspace: str, since: datetime | None, kind: str | None, limit: int, *, audit: bool
) -> tuple[PlacedEvent, ...]:
    since_utc = None if since is None else since.replace(tzinfo=UTC)

    async def work(context: CommandContext) -> tuple[PlacedEvent, ...]:
        async with context.scope(workspace, read_only=True):
            return await queries.list_events(audit=audit, kind=kind, since=since_utc, limit=limit)

    return run_command(work)


def _print_events(
    rows: list[dict[str, object]], columns: Iterable[str], *, as_json: bool, empty: str
) -> None:
    cells = [
        {name: json.dumps(row[name]) if name == "payload" else row[name] for name in columns} for row in rows
    ]
    print_table(rows if as_json else cells, as_json=as_json, empty=empty)


def _read_anchors(lines: Iterable[str], oldest: datetime) -> Iterator[Anchor]:
    """Yield the anchors in the lines of a log that are not older than `oldest`; other lines are skipped."""
    for line in lines:
        try:
            entry = json.loads(line)
            if entry["event"] == "event log anchor" and datetime.fromisoformat(entry["time"]) >= oldest:
                bytes.fromhex(entry["hash"])
                yield Anchor(WorkspaceId(UUID(entry["workspace"])), int(entry["place"]), entry["hash"])
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
