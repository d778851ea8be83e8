"""Sends mails by SMTP."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import aiosmtplib

from kernel.errors import Invalid, Unavailable
from kernel.mail.message import compose
from kernel.setting_parsers import is_loopback

if TYPE_CHECKING:
    from kernel.clock import Clock
    from kernel.mail.message import OutgoingMail
    from kernel.settings import Settings
    from kernel.telemetry.metrics import Metrics

#: For each command, and for the whole mail: below the time limit of jobs.
STEP_TIMEOUT_S: Final = 15.0
TOTAL_TIMEOUT_S: Final = 45.0
_QUIT_TIMEOUT_S: Final = 2.0
_PORTS: Final = {"smtp": 587, "smtps": 465}
_PERMANENT: Final = 500  # RFC 5321, 4.2.1


class MailFailure(Unavailable):
    """A mail was not accepted; if `is_permanent`, the server refused it and would refuse it again."""

    def __init__(self, reason: str, *, is_permanent: bool) -> None:
        """Take the words of the server, or what happened instead of an answer."""
        super().__init__("mail.refused" if is_permanent else "mail.failed", reason)
        self.reason = reason
        self.is_permanent = is_permanent


class StartTls(StrEnum):
    """Whether a connection without TLS is upgraded (RFC 3207)."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server, from the checked setting PORTAL_SMTP_URL."""

    host: str
    port: int
    has_tls: bool
    start_tls: StartTls
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the server of a checked URL; STARTTLS is required unless the server is this machine."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        default = StartTls.OPTIONAL if is_loopback(host) else StartTls.REQUIRED
        return cls(
            host=host,
            port=parts.port or _PORTS[parts.scheme],
            has_tls=parts.scheme == "smtps",
            start_tls=StartTls(dict(parse_qsl(parts.query)).get("starttls") or default),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
        )


class Mailer:
    """Sends each mail over a connection of its own; jobs retry temporary failures."""

    def __init__(
        self,
        server: SmtpServer | None,
        sender: str,
        *,
        clock: Clock,
        metrics: Metrics,
        step_timeout_s: float = STEP_TIMEOUT_S,
        total_timeout_s: float = TOTAL_TIMEOUT_S,
    ) -> None:
        """Send as the address `sender`; without a server each mail is a temporary failure."""
        self._server = server
        self._sender = sender
        self._clock = clock
        self._metrics = metrics
        self._step_timeout_s = step_timeout_s
        self._total_timeout_s = total_timeout_s

    @classmethod
    def from_settings(cls, settings: Settings, *, clock: Clock, metrics: Metrics) -> Self:
        """Return the mailer of the settings."""
        server = None if settings.smtp_url is None else SmtpServer.from_url(settings.smtp_url)
        return cls(server, settings.mail_from, clock=clock, metrics=metrics)

    async def send(self, mail: OutgoingMail) -> None:
        """Send a mail; it is accepted by the server when this returns. Raises MailFailure."""
        try:
            await self._send(mail)
        except MailFailure as error:
            outcome = "refused" if error.is_permanent else "failed"
            self._metrics.mails.labels(mail.purpose, outcome).inc()
            raise
        self._metrics.mails.labels(mail.purpose, "sent").inc()

    async def _send(self, mail: OutgoingMail) -> None:
        if self._server is None:
            raise MailFailure("PORTAL_SMTP_URL is not set.", is_permanent=False)
        try:
            message = compose(mail, sender=self._sender, now=self._clock.now())
        except Invalid as error:
            raise MailFailure(error.message, is_permanent=True) from error
        client = self._create_client(self._server)
        try:
            async with asyncio.timeout(self._total_timeout_s):
                await client.connect()
                await client.sendmail(self._sender, [mail.to], message)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise _read_failure(error) from error
        finally:
            await _close(client)

    def _create_client(self, server: SmtpServer) -> aiosmtplib.SMTP:
        start_tls = {StartTls.REQUIRED: True, StartTls.OPTIONAL: None, StartTls.NEVER: False}
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password or None,
            # Not the name of this machine, which the resolver would be asked for.
            local_hostname=self._sender.rpartition("@")[2],
            timeout=self._step_timeout_s,
            use_tls=server.has_tls,
            start_tls=False if server.has_tls else start_tls[server.start_tls],
        )


async def _close(client: aiosmtplib.SMTP) -> None:
    """End the connection; the mail is accepted or refused already, so that no failure matters."""
    with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
        if client.is_connected:
            await client.quit(timeout=_QUIT_TIMEOUT_S)
    client.close()


def _read_failure(error: Exception) -> MailFailure:
    """Return what an error means: refusals of a recipient or a text are permanent.

    Others (login, sender, STARTTLS) are the installation's to correct, and every mail would meet them.
    """
    match error:
        case aiosmtplib.SMTPRecipientsRefused(recipients=[first, *_]):
            return _read_response(first)
        case aiosmtplib.SMTPDataError():
            return _read_response(error)
        case aiosmtplib.SMTPResponseException():
            return MailFailure(f"{error.code} {error.message}", is_permanent=False)
        case _:
            text = str(error) or type(error).__name__
            return MailFailure(f"The mail server did not take it: {text}", is_permanent=False)


def _read_response(error: aiosmtplib.SMTPResponseException) -> MailFailure:
    return MailFailure(f"{error.code} {error.message}", is_permanent=error.code >= _PERMANENT)
