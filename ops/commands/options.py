"""Options that several commands have."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from tenants.workspaces.authority import OtpPolicy, WriteAuthority, WriteMode

_F = TypeVar("_F", bound=Callable[..., Any])

workspace_option = click.option(
    "--workspace", required=True, metavar="SLUG", help="Slug or host of the workspace."
)
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def write_authority_options(command: _F) -> _F:
    """Add the options that say who may write comments; `read_write_authority` reads them."""
    for option in (
        click.option(
            "--otp-policy",
            type=click.Choice([each.value for each in OtpPolicy]),
            help="With the mode otp: codes are sent to any address, or to contacts of the customer only.",
        ),
        click.option(
            "--write-totp/--no-write-totp",
            default=None,
            help="Writing also needs a code of the contact's authenticator (modes otp and customer).",
        ),
        click.option(
            "--write-mode",
            type=click.Choice([each.value for each in WriteMode]),
            help="Who may write comments: nobody, who holds the link, who enters a mailed code, a signed-in contact.",
        ),
    ):
        command = option(command)
    return command


def read_write_authority(
    current: WriteAuthority, write_mode: str | None, otp_policy: str | None, *, write_totp: bool | None
) -> WriteAuthority | None:
    """Return `current` with the given options, None without any; another mode begins without an authenticator.

    Raises Invalid("write_authority.totp").
    """
    if write_mode is None and otp_policy is None and write_totp is None:
        return None
    mode = current.mode if write_mode is None else WriteMode(write_mode)
    is_other = mode is not current.mode
    requires_totp = (False if is_other else current.requires_totp) if write_totp is None else write_totp
    policy = None if is_other else current.otp_policy
    if otp_policy is not None:
        policy = OtpPolicy(otp_policy)
    elif requires_totp and not current.requires_totp:
        # Required only now: the policy follows from it.
        policy = None
    return WriteAuthority.create(mode, requires_totp=requires_totp, otp_policy=policy)


def describe_write_authority(authority: WriteAuthority) -> dict[str, object]:
    """Return a setting as commands print it."""
    return {
        "write_mode": authority.mode.value,
        "write_totp": authority.requires_totp,
        "otp_policy": authority.otp_policy.value,
    }
