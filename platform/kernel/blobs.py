"""Bytes by key: in a folder of this machine or in an S3-compatible store, by the same few calls."""

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

# No dots at the beginning of a part: no key leads out of the folder, or into a hidden file.
_KEY: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_MAX_KEY_LENGTH: Final = 500
_S3: Final = "s3://"
TIMEOUT_S: Final = 10.0
# Obstore's own patience is three minutes; here somebody waits for a page. Plain http is for the endpoint to choose.
_CLIENT_OPTIONS: Final[Any] = {"connect_timeout": "2s", "timeout": "10s", "allow_http": True}
_RETRY_OPTIONS: Final[Any] = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=4),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1), "base": 2},
}
_PANIC_TYPES: Final = ("RustPanic", "PanicException")


class Blobs:
    """A store of immutable blobs; what is under a key never changes, because keys hold a hash."""

    def __init__(self, store: ObjectStore, *, timeout_s: float = TIMEOUT_S) -> None:
        """Take an opened store; `open` makes one from a URL. No call takes longer than `timeout_s` seconds."""
        self._store = store
        self._timeout_s = timeout_s

    @classmethod
    def open(cls, where: str | Path, *, timeout_s: float = TIMEOUT_S) -> Self:
        """Open a folder (made when it is not there) or `s3://bucket/prefix`.

        Credentials, region and endpoint of a remote store are the environment's usual ones, which obstore reads:
        AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL.
        Unavailable("blobs.unavailable") when the folder cannot be made or the URL names no store.
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
        """Store bytes, whole or not at all; Unavailable("blobs.unavailable"), Invalid("blobs.key")."""
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
        """Return how many bytes there are under a key; Missing("blobs.missing"), Unavailable as above."""
        path = _check_key(key)
        async with self._limit_call():
            return int((await self._store.head_async(path))["size"])

    async def delete(self, key: str) -> None:
        """Remove what is under a key; nothing there is no error."""
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
    """Say what obstore says in our own errors."""
    try:
        yield
    except FileNotFoundError as error:
        # HEAD has no words: asked for a size, a bucket that is not there looks like a key that is not there.
        raise (_make_unavailable() if "NoSuchBucket" in str(error) else _make_missing()) from error
    except (BaseError, OSError, ValueError) as error:
        raise _make_unavailable() from error
    except BaseException as error:
        # What cannot be, such as an endpoint that is no URL, makes obstore panic. Neither kind of panic can be
        # imported, and one of the two is no Exception.
        if type(error).__name__ not in _PANIC_TYPES:
            raise
        raise _make_unavailable() from error


def _check_key(key: str) -> str:
    if len(key) > _MAX_KEY_LENGTH or not _KEY.fullmatch(key):
        raise Invalid(
            "blobs.key", "A key is made of letters, digits, dots, dashes and slashes.", key=key[:100]
        )
    return key


def _make_missing() -> Missing:
    return Missing("blobs.missing", "There is nothing under this key.")


def _make_unavailable() -> Unavailable:
    return Unavailable("blobs.unavailable", "The store of blobs does not answer.")
