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
_LONGEST_KEY: Final = 500
_S3: Final = "s3://"
PATIENCE_S: Final = 10.0
# Obstore's own patience is three minutes; here somebody waits for a page. Plain http is for the endpoint to choose.
_CLIENT: Final[Any] = {"connect_timeout": "2s", "timeout": "10s", "allow_http": True}
_RETRY: Final[Any] = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=4),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1), "base": 2},
}
_PANICS: Final = ("RustPanic", "PanicException")


class Blobs:
    """A store of immutable blobs; what is under a key never changes, because keys hold a hash."""

    def __init__(self, store: ObjectStore, *, patience_s: float = PATIENCE_S) -> None:
        """Take an opened store; `open` makes one from a URL. No call takes longer than `patience_s` seconds."""
        self._store = store
        self._patience_s = patience_s

    @classmethod
    def open(cls, where: str | Path, *, patience_s: float = PATIENCE_S) -> Self:
        """Open a folder (made when it is not there) or `s3://bucket/prefix`.

        Credentials, region and endpoint of a remote store are the environment's usual ones, which obstore reads:
        AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL.
        Unavailable("blobs.unavailable") when the folder cannot be made or the URL names no store.
        """
        if isinstance(where, str) and where.startswith(_S3):
            with _plainly():
                return cls(
                    from_url(where, client_options=_CLIENT, retry_config=_RETRY), patience_s=patience_s
                )
        folder = Path(str(where).removeprefix("file://"))
        try:
            return cls(LocalStore(folder.absolute(), mkdir=True), patience_s=patience_s)
        except (BaseError, OSError) as error:
            raise Unavailable(
                "blobs.unavailable", f"The folder {folder} cannot be used for blobs."
            ) from error

    async def put(self, key: str, data: bytes) -> None:
        """Store bytes, whole or not at all; Unavailable("blobs.unavailable"), Invalid("blobs.key")."""
        place = _checked(key)
        try:
            async with self._in_time():
                await self._store.put_async(place, data)
        except Missing as error:  # the bucket itself
            raise _away() from error

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> bytes:
        """Return the bytes from `start` to before `end`; Missing("blobs.missing"), Unavailable as above."""
        place = _checked(key)
        if start == 0 and end is None:
            async with self._in_time():
                return bytes(await (await self._store.get_async(place)).bytes_async())
        last = await self.size(key) if end is None else end
        if last <= start:
            return b""
        async with self._in_time():
            return bytes(await self._store.get_range_async(place, start=start, end=last))

    async def size(self, key: str) -> int:
        """Return how many bytes there are under a key; Missing("blobs.missing"), Unavailable as above."""
        place = _checked(key)
        async with self._in_time():
            return int((await self._store.head_async(place))["size"])

    async def delete(self, key: str) -> None:
        """Remove what is under a key; nothing there is no error."""
        place = _checked(key)
        with contextlib.suppress(Missing):
            async with self._in_time():
                await self._store.delete_async(place)

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        with _plainly():
            async with asyncio.timeout(self._patience_s):
                yield


@contextmanager
def _plainly() -> Iterator[None]:
    """Say what obstore says in our own errors."""
    try:
        yield
    except FileNotFoundError as error:
        # HEAD has no words: asked for a size, a bucket that is not there looks like a key that is not there.
        raise (_away() if "NoSuchBucket" in str(error) else _missing()) from error
    except (BaseError, OSError, ValueError) as error:
        raise _away() from error
    except BaseException as error:
        # What cannot be, such as an endpoint that is no URL, makes obstore panic. Neither kind of panic can be
        # imported, and one of the two is no Exception.
        if type(error).__name__ not in _PANICS:
            raise
        raise _away() from error


def _checked(key: str) -> str:
    if len(key) > _LONGEST_KEY or not _KEY.fullmatch(key):
        raise Invalid(
            "blobs.key", "A key is made of letters, digits, dots, dashes and slashes.", key=key[:100]
        )
    return key


def _missing() -> Missing:
    return Missing("blobs.missing", "There is nothing under this key.")


def _away() -> Unavailable:
    return Unavailable("blobs.unavailable", "The store of blobs does not answer.")
