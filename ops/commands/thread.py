"""portal thread: the staff's side of the conversations on invoices."""

import dataclasses
import sys
import textwrap
from uuid import UUID

import click

from kernel.actor import Actor
from kernel.ids import new_nonce
from kernel.live import Audience
from kernel.store import Isolation
from ops.command_context import CommandContext, identify_operator, run_command
from ops.commands.options import as_json_option, workspace_option
from ops.commands.output import print_fields, print_table, read_fields
from tenants.comments import actions, queries
from tenants.comments.values import Author, Comment, Side, ThreadView
from tenants.ids import CommentId, InvoiceId
from tenants.invoices import queries as invoices

staff_option = click.option(
    "--staff", required=True, metavar="NAME", help="Who acts for the workspace; the customer sees the name."
)
client_id_option = click.option(
    "--client-id", metavar="ID", help="The same id writes once, however often the command is repeated."
)


@click.group()
def thread() -> None:
    """Comments on invoices, as the staff of a workspace reads and writes them."""


@thread.command(name="list")
@workspace_option
@click.option("--unread", is_flag=True, help="Only threads with comments that the staff has not seen.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--after", metavar="NUMBER", help="Continue after the thread of this invoice.")
@as_json_option
def list_(workspace: str, limit: int, after: str | None, *, unread: bool, as_json: bool) -> None:
    """Print the threads of a workspace, that with the newest comment first."""

    async def work(context: CommandContext) -> list[dict[str, object]]:
        async with context.scope(workspace, read_only=True):
            last = (await invoices.load_invoice_by_number(after)).invoice_id if after else None
            found = await queries.list_threads(unread_only=unread, limit=limit, after=last)
            return [read_fields(each) for each in found]

    columns = ("number", "customer_name", "comments", "unread", "posted_at", "resolved_at")
    rows = run_command(work)
    print_table(
        rows if as_json else [{name: row[name] for name in columns} for row in rows],
        as_json=as_json,
        empty="There is no such thread.",
    )


@thread.command(name="show")
@click.argument("number")
@workspace_option
@click.option("--keep-unread", is_flag=True, help="Do not tell the customer that the staff has seen it.")
@as_json_option
def show_(number: str, workspace: str, *, keep_unread: bool, as_json: bool) -> None:
    """Print the thread of the invoice NUMBER with its internal notes, and mark it as seen by the staff."""

    async def work(context: CommandContext) -> ThreadView:
        async with context.scope(workspace, read_only=True, isolation=Isolation.REPEATABLE_READ):
            invoice_id = await _find_invoice(number)
            view = await queries.load_thread(invoice_id, Audience.STAFF)
        if view.comments and not keep_unread:
            newest = view.comments[-1].staff_seq
            async with context.scope(workspace):
                await actions.mark_seen(invoice_id, Side.STAFF, newest, context.clock)
        return view

    view = run_command(work)
    if as_json:
        comments = [_describe_comment(each) for each in view.comments]
        print_fields(read_fields(view) | {"comments": comments}, as_json=True)
        return
    for comment in view.comments:
        _print_comment(comment, view)
    if not view.comments:
        click.echo("There are no comments on this invoice.")
    elif view.resolved_at is not None:
        click.echo(f"Resolved at {view.resolved_at:%Y-%m-%d %H:%M} UTC.")


@thread.command()
@click.argument("number")
@click.argument("text")
@workspace_option
@staff_option
@client_id_option
@as_json_option
def reply(
    number: str, text: str, workspace: str, staff: str, client_id: str | None, *, as_json: bool
) -> None:
    """Write TEXT (- for standard input) as a comment on the invoice NUMBER; its customer gets a mail."""
    _post(number, text, workspace, staff, client_id, is_internal=False, as_json=as_json)


@thread.command()
@click.argument("number")
@click.argument("text")
@workspace_option
@staff_option
@client_id_option
@as_json_option
def note(number: str, text: str, workspace: str, staff: str, client_id: str | None, *, as_json: bool) -> None:
    """Write TEXT (- for standard input) as an internal note, which the customer never receives."""
    _post(number, text, workspace, staff, client_id, is_internal=True, as_json=as_json)


@thread.command()
@click.argument("number")
@click.argument("comment_id", type=click.UUID)
@workspace_option
@staff_option
def delete(number: str, comment_id: UUID, workspace: str, staff: str) -> None:
    """Delete the text of a comment or note; that there was one is still shown."""

    async def work(context: CommandContext) -> None:
        async with context.scope(workspace, actor=_name_actor(staff)):
            author = Author(Side.STAFF, staff)
            await actions.delete_comment(
                await _find_invoice(number), CommentId(comment_id), author, context.clock
            )

    run_command(work)
    click.echo("Deleted.")


@thread.command()
@click.argument("number")
@workspace_option
@staff_option
@click.option("--reopen", is_flag=True, help="The opposite: the thread is not resolved after all.")
def resolve(number: str, workspace: str, staff: str, *, reopen: bool) -> None:
    """Declare the thread of the invoice NUMBER resolved; a new comment of the customer opens it again."""

    async def work(context: CommandContext) -> None:
        async with context.scope(workspace, actor=_name_actor(staff)):
            invoice_id = await _find_invoice(number)
            if reopen:
                await actions.reopen_thread(invoice_id)
            else:
                await actions.resolve_thread(invoice_id, context.clock)

    run_command(work)
    click.echo("Opened again." if reopen else "Resolved.")


def _post(
    number: str,
    text: str,
    workspace: str,
    staff: str,
    client_id: str | None,
    *,
    is_internal: bool,
    as_json: bool,
) -> None:
    body = sys.stdin.read() if text == "-" else text

    async def work(context: CommandContext) -> dict[str, object]:
        async with context.scope(workspace, actor=_name_actor(staff)):
            posted = await actions.post_comment(
                await _find_invoice(number),
                Author(Side.STAFF, staff),
                body,
                client_id=client_id or new_nonce(),
                clock=context.clock,
                is_internal=is_internal,
            )
            return _describe_comment(posted.comment) | {"is_new": posted.is_new}

    print_fields(run_command(work), as_json=as_json)


async def _find_invoice(number: str) -> InvoiceId:
    return (await invoices.load_invoice_by_number(number)).invoice_id


def _name_actor(staff: str) -> Actor:
    """Return the operator who runs the command, with the name under which the staff acts."""
    return dataclasses.replace(identify_operator(), name=staff)


def _describe_comment(comment: Comment) -> dict[str, object]:
    fields = read_fields(comment) | {"proofs": sorted(comment.proofs)}
    del fields["browser_hash"]
    return fields


def _print_comment(comment: Comment, view: ThreadView) -> None:
    """Print a comment; every line of its text is indented, so that none looks like the head of another comment."""
    seen_seq = view.customer_seen_seq if comment.side is Side.STAFF else view.staff_seen_seq
    words = (
        f"{comment.created_at:%Y-%m-%d %H:%M} UTC",
        f"{comment.author_name} <{comment.author_email}>" if comment.author_email else comment.author_name,
        "internal note" if comment.is_internal else comment.side.value,
        f"proven: {', '.join(sorted(comment.proofs))}" if comment.proofs else "",
        "edited" if comment.edited_at and not comment.deleted_at else "",
        "seen" if comment.staff_seq <= seen_seq and not comment.is_internal else "",
        str(comment.comment_id),
    )
    click.echo("  ".join(filter(None, words)))
    body = comment.body if comment.deleted_at is None else f"(deleted by the {comment.deleted_by})"
    click.echo(textwrap.indent(body, "    ", lambda _line: True) + "\n")
