"""A store of blobs by key: a local folder or an S3-compatible store."""

from __future__ import annotations

import asyncio
import contextlib
import re
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from kernel.errors import Invalid, Missing, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from obstore.store import ObjectStore

# No part begins with a dot: a key names no path outside the folder and no hidden file.
_KEY: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_MAX_KEY_LENGTH: Final = 500
_S3: Final = "s3://"
TIMEOUT_S: Final = 10.0
# Obstore's default time-out is three minutes, too long for a page. The URL of the endpoint decides on http or https.
_CLIENT_OPTIONS: Final[Any] = {"connect_timeout": "2s", "timeout": "10s", "allow_http": True}
_RETRY_OPTIONS: Final[Any] = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=4),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1), "base": 2},
}
_PANIC_TYPES: Final = ("RustPanic", "PanicException")


class Blobs:
    """A store of immutable blobs: keys contain a hash of the content."""

    def __init__(self, store: ObjectStore, *, timeout_s: float = TIMEOUT_S) -> None:
        """Use an opened store (see `open`). Each request takes `timeout_s` seconds at most."""
        self._store = store
        self._timeout_s = timeout_s

    @classmethod
    def open(cls, where: str | Path, *, timeout_s: float = TIMEOUT_S) -> Self:
        """Open a folder (created if it does not exist) or `s3://bucket/prefix`.

        Credentials, region and endpoint of a remote store are read by obstore from the environment:
        AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL.
        Unavailable("blobs.unavailable") when the folder cannot be created or the URL is invalid.
        """
        if isinstance(where, str) and where.startswith(_S3):
            with _translate_errors():
                return cls(
                    from_url(where, client_options=_CLIENT_OPTIONS, retry_config=_RETRY_OPTIONS),
                    timeout_s=timeout_s,
                )
        folder = Path(str(where).removeprefix("file://"))
        try:
            return cls(LocalStore(folder.absolute(), mkdir=True), timeout_s=timeout_s)
        except (BaseError, OSError) as error:
            raise Unavailable(
                "blobs.unavailable", f"The folder {folder} cannot be used for blobs."
            ) from error

    async def put(self, key: str, data: bytes) -> None:
        """Store bytes atomically; Unavailable("blobs.unavailable"), Invalid("blobs.key")."""
        path = _check_key(key)
        try:
            async with self._limit_call():
                await self._store.put_async(path, data)
        except Missing as error:  # the bucket itself
            raise _make_unavailable() from error

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> bytes:
        """Return the bytes from `start` to before `end`; Missing("blobs.missing"), Unavailable as above."""
        path = _check_key(key)
        if start == 0 and end is None:
            async with self._limit_call():
                return bytes(await (await self._store.get_async(path)).bytes_async())
        last = await self.size(key) if end is None else end
        if last <= start:
            return b""
        async with self._limit_call():
            return bytes(await self._store.get_range_async(path, start=start, end=last))

    async def size(self, key: str) -> int:
        """Return the size of a blob in bytes; Missing("blobs.missing"), Unavailable as above."""
        path = _check_key(key)
        async with self._limit_call():
            return int((await self._store.head_async(path))["size"])

    async def delete(self, key: str) -> None:
        """Delete a blob, if it exists."""
        path = _check_key(key)
        with contextlib.suppress(Missing):
            async with self._limit_call():
                await self._store.delete_async(path)

    @asynccontextmanager
    async def _limit_call(self) -> AsyncIterator[None]:
        with _translate_errors():
            async with asyncio.timeout(self._timeout_s):
                yield


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate the errors of obstore into those of the portal."""
    try:
        yield
    except FileNotFoundError as error:
        # The response to HEAD has no body: `size` cannot tell a missing bucket from a missing key.
        raise (_make_unavailable() if "NoSuchBucket" in str(error) else _make_missing()) from error
    except (BaseError, OSError, ValueError) as error:
        raise _make_unavailable() from error
    except BaseException as error:
        # An invalid configuration, such as an endpoint that is not a URL, makes obstore panic. Neither type of
        # panic can be imported, and one of the two is not an Exception.
        if type(error).__name__ not in _PANIC_TYPES:
            raise
        raise _make_unavailable() from error


def _check_key(key: str) -> str:
    if len(key) > _MAX_KEY_LENGTH or not _KEY.fullmatch(key):
        raise Invalid(
            "blobs.key", "A key consists of letters, digits, dots, dashes and slashes.", key=key[:100]
        )
    return key


def _make_missing() -> Missing:
    return Missing("blobs.missing", "There is no blob with this key.")


def _make_unavailable() -> Unavailable:
    return Unavailable("blobs.unavailable", "The blob store is not available.")
