"""The mailbox in a browser: a list, each mail as HTML in a sandbox, as text and as it came; /messages is JSON."""

import json
import threading
from collections.abc import Callable
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from ops.sandbox.mailbox import LOOPBACK, Mailbox, ReceivedMail

# A mail may hold anything: it can run no script, but show pictures, and its links open in a window of their own.
_SANDBOX: Final = "allow-popups allow-popups-to-escape-sandbox"
_MAIL_CSP: Final = (
    f"sandbox {_SANDBOX}; default-src 'none'; img-src http: https: data:; style-src 'unsafe-inline'"
)

_PAGE_CSP: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'"
_STYLE: Final = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1rem; }
a { color: inherit; } table { border-collapse: collapse; width: 100%; table-layout: fixed; }
td { padding: .5rem .5rem .5rem 0; border-bottom: 1px solid #8884; overflow: hidden; text-overflow: ellipsis; }
td:last-child { width: 12rem; } pre { white-space: pre-wrap; overflow-wrap: anywhere; }
iframe { width: 100%; height: 44rem; border: 1px solid #8884; border-radius: 8px; }
"""


class MailboxPage:
    """An HTTP server in a thread of its own that shows a mailbox."""

    def __init__(self, mailbox: Mailbox, *, port: int = 0) -> None:
        """Listen at once on a port, a free one by default; OSError if it is in use."""
        handler = type("Handler", (_Handler,), {"mailbox": mailbox})
        self._server = ThreadingHTTPServer((LOOPBACK, port), handler)
        self._server.daemon_threads = True
        self.url = f"http://localhost:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="mailbox page", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop to listen."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    mailbox: Mailbox

    def do_GET(self) -> None:
        """Answer a request."""
        parts = urlsplit(self.path)
        names = parts.path.strip("/").split("/")
        mails = list(reversed(tuple(self.mailbox.mails)))
        match names:
            case [""]:
                self._answer(_PAGE_CSP, "text/html", _render_list(mails))
            case ["messages"]:
                wanted = parse_qs(parts.query).get("to", [""])[0]
                found = [_describe(mail) for mail in mails if not wanted or wanted in mail.recipients]
                self._answer(_PAGE_CSP, "application/json", json.dumps(found, ensure_ascii=False, indent=1))
            case ["messages", number, *rest]:
                self._show(next((mail for mail in mails if str(mail.number) == number), None), rest)
            case _:
                self.send_error(404)

    def _show(self, mail: ReceivedMail | None, rest: list[str]) -> None:
        views: dict[str, tuple[str, str, Callable[[ReceivedMail], str]]] = {
            "": (_PAGE_CSP, "text/html", _render_mail),
            "html": (_MAIL_CSP, "text/html", lambda found: f'<base target="_blank">{found.html}'),
            "raw": (_PAGE_CSP, "text/plain", lambda found: found.raw.decode("ascii", "replace")),
        }
        view = views.get("/".join(rest))
        if mail is None or view is None:
            self.send_error(404)
        else:
            csp, content_type, render = view
            self._answer(csp, content_type, render(mail))

    def _answer(self, csp: str, content_type: str, text: str) -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(200)
        self.send_header("Content-Type", f"{content_type}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", csp)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  -- the names of the base class
        """Log nothing."""


def _describe(mail: ReceivedMail) -> dict[str, object]:
    return {
        "number": mail.number,
        "received_at": mail.received_at.isoformat(),
        "sender": mail.sender,
        "recipients": list(mail.recipients),
        "subject": mail.subject,
        "headers": {name: str(value) for name, value in mail.message.items()},
        "text": mail.text,
        "html": mail.html,
    }


def _render_list(mails: list[ReceivedMail]) -> str:
    rows = "".join(
        f'<tr><td dir="auto"><a href="/messages/{mail.number}">{escape(mail.subject)}</a></td>'
        f"<td>{escape(', '.join(mail.recipients))}</td><td>{mail.received_at:%Y-%m-%d %H:%M:%S}</td></tr>"
        for mail in mails
    )
    return _render_page("Mailbox", f"<table>{rows}</table>" if rows else "<p>No mail has come yet.</p>")


def _render_mail(mail: ReceivedMail) -> str:
    headers = "".join(f"{name}: {value}\n" for name, value in mail.message.items())
    return _render_page(
        mail.subject,
        f'<p><a href="/">All mails</a> · <a href="/messages/{mail.number}/raw">As it came</a></p>'
        f"<pre>{escape(headers)}</pre>"
        f'<iframe sandbox="{_SANDBOX}" title="HTML" src="/messages/{mail.number}/html"></iframe>'
        f'<h2>Text</h2><pre dir="auto">{escape(mail.text)}</pre>',
    )


def _render_page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f'<body><h1 dir="auto">{escape(title)}</h1>{body}'
    )
