"""A mail server on this machine that delivers nothing: it keeps what it receives, for the demo and the tests."""

import asyncio
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Final, Self, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

LOOPBACK: Final = "127.0.0.1"
CAPACITY: Final = 1000
MAX_BYTES: Final = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """A mail as the server got it, and its parsed message."""

    number: int
    received_at: datetime
    sender: str
    recipients: tuple[str, ...]
    raw: bytes = field(repr=False)
    message: EmailMessage = field(repr=False)

    @property
    def subject(self) -> str:
        """The decoded subject."""
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """The plain text."""
        return self._read_part("plain")

    @property
    def html(self) -> str:
        """The HTML."""
        return self._read_part("html")

    def _read_part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        # Quoted-printable keeps the line ends of mail.
        return "" if part is None else str(part.get_content()).replace("\r\n", "\n")


class Mailbox:
    """A mail server in a thread of its own; tests choose how it misbehaves."""

    def __init__(self, *, host: str = LOOPBACK, port: int = 0) -> None:
        """Listen on a port, a free one by default, from `start` on."""
        self._host = host
        self.port = port
        self.mails: deque[ReceivedMail] = deque(maxlen=CAPACITY)
        self.refusals: dict[str, str] = {}
        """The answer to RCPT for an address, such as "550 5.1.1 No such user"."""
        self.data_answer = ""
        """The answer to DATA for all mails instead of taking them."""
        self.delay_s = 0.0
        """The pause before each answer to DATA."""
        self.answer_delay_s = 0.0
        """The pause between taking a mail and saying so."""
        self.drops_connections = False
        """Whether the connection ends instead of an answer to DATA."""
        self.connections = 0
        self._count = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mailbox", daemon=True)
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The setting PORTAL_SMTP_URL for this server."""
        return f"smtp://{self._host}:{self.port}?starttls=never"

    def start(self) -> Self:
        """Start to listen; OSError if the port is in use."""
        self._thread.start()
        server = self._run(self._listen())
        self._server, self.port = server, server.sockets[0].getsockname()[1]
        return self

    def stop(self) -> None:
        """Stop to listen, and end all connections."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def find(self, recipient: str) -> list[ReceivedMail]:
        """Return the mails to an address, the oldest first."""
        return [mail for mail in tuple(self.mails) if recipient in mail.recipients]

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(self._create_protocol, self._host, self.port)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _create_protocol(self) -> SMTP:
        self.connections += 1
        return SMTP(self, loop=self._loop, hostname="mailbox", ident="Mailbox", data_size_limit=MAX_BYTES)

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    # aiosmtpd calls these by name.

    async def handle_RCPT(  # noqa: N802  -- the name of the hook
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take or refuse a recipient."""
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a mail, or misbehave."""
        await asyncio.sleep(self.delay_s)
        if self.drops_connections:
            if server.transport is not None:
                cast("asyncio.Transport", server.transport).abort()
            return "421 Dropped"
        if self.data_answer:
            return self.data_answer
        raw = bytes(envelope.original_content or b"")
        self._count += 1
        self.mails.append(
            ReceivedMail(
                self._count,
                datetime.now(UTC),
                envelope.mail_from or "",
                tuple(envelope.rcpt_tos),
                raw,
                message_from_bytes(raw, policy=default),
            )
        )
        await asyncio.sleep(self.answer_delay_s)
        return "250 OK"
