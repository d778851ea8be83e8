"""Options that several commands have."""

import click

workspace_option = click.option(
    "--workspace", required=True, metavar="SLUG", help="Slug or host of the workspace."
)
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
