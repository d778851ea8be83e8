"""Structured logs of the product and its libraries: one JSON object a line, with bound values, without secrets."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

import msgspec
import structlog
from structlog.contextvars import (
    bind_contextvars,
    bound_contextvars,
    clear_contextvars,
    get_contextvars,
    merge_contextvars,
)

from kernel.clock import Clock, SystemClock

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

_REDACTED: Final = "[redacted]"
_MAX_LENGTH: Final = 16_000
_MAX_DEPTH: Final = 6
# Values under these names are never logged.
_SECRET_NAMES: Final = re.compile(
    r"token|secret|passw|authorization|cookie|api_?key|data_key|private|(?<![a-z])t?otp|recovery",
    re.IGNORECASE,
)
_SECRET_TEXTS: Final = (
    # The path of a link, also with an invalid token, which may differ from a valid one by one character.
    (re.compile(r"(/i/|%2Fi%2F)[^/\s\"'?#<>&]+", re.IGNORECASE), r"\1[token]"),
    # A token alone. No other value has 24 letters and digits in a row.
    (re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z]{24}(?![0-9A-Za-z])"), "[token]"),
    # The password in a url, which may contain @.
    (re.compile(r"(://[^\s:/@]*:)[^\s/]+@"), r"\1[redacted]@"),
)


def configure(*, level: str, process: str, clock: Clock | None = None, stream: TextIO | None = None) -> None:
    """Send every log line of this process to `stream` (standard output) as JSON, from `level` upwards.

    Includes what libraries log through the standard library's logging.
    """
    shared: list[Processor] = [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _add_time_and_process(clock or SystemClock(), process),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _encode_line],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the logger of a module; calls are `log.info("event name", key=value)`."""
    return cast("FilteringBoundLogger", structlog.stdlib.get_logger(name))


def bind(**values: object) -> None:
    """Add values (request_id, workspace_id, job_id) to all further lines of this task and its children."""
    bind_contextvars(**values)


def bind_temporarily(**values: object) -> AbstractContextManager[None]:
    """Add values to the lines inside a `with` block."""
    return bound_contextvars(**values)


def unbind_all() -> None:
    """Remove all bound values, at the start of a request or job."""
    clear_contextvars()


def current_request_id() -> str:
    """Return the id of the current request, or of the one that enqueued the current job; "" without one."""
    return str(get_contextvars().get("request", ""))


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace link tokens, passwords and values under secret names, at any depth."""
    return {key: _redact_value(key, value, 0) for key, value in event.items()}


def _redact_value(name: str, value: object, depth: int) -> Any:
    if name.startswith("_") or value is None or isinstance(value, bool | int | float):
        return value  # values of structlog itself, and types without secrets
    if _SECRET_NAMES.search(name):
        return _REDACTED
    if depth > _MAX_DEPTH:
        return "…"
    if isinstance(value, dict):
        return {str(key): _redact_value(str(key), each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact_value("", each, depth + 1) for each in value]
    return _redact_text(value if isinstance(value, str) else str(value))


def _redact_text(text: str) -> str:
    for pattern, replacement in _SECRET_TEXTS:
        text = pattern.sub(replacement, text)
    text = text[:_MAX_LENGTH]
    # Lone surrogates come with undecodable paths and headers and cannot be written as UTF-8.
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _add_time_and_process(clock: Clock, process: str) -> Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["time"] = clock.now().isoformat(timespec="milliseconds")
        event["process"] = process
        return event

    return add


def _encode_line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()
