"""Bytes by key: in a folder of this machine or in an S3-compatible store, by the same few calls."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from kernel.errors import Invalid, Missing, Unavailable

if TYPE_CHECKING:
    from obstore.store import ObjectStore

# No dots at the beginning of a part: no key leads out of the folder, or into a hidden file.
_KEY: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_LONGEST_KEY: Final = 500
_REMOTE: Final = ("s3://", "gs://", "az://")


class Blobs:
    """A store of immutable blobs; what is under a key never changes, because keys hold a hash."""

    def __init__(self, store: ObjectStore) -> None:
        """Take an opened store; `open` makes one from a URL."""
        self._store = store

    @classmethod
    def open(cls, where: str | Path, **options: str) -> Self:
        """Open a folder (made when it is not there) or `s3://bucket/prefix`.

        `options` are those of obstore ("endpoint", "access_key_id", …); without them the environment's usual
        credentials count. Unavailable("blobs.unavailable") when the folder cannot be made.
        """
        if isinstance(where, str) and where.startswith(_REMOTE):
            return cls(from_url(where, **options))  # type: ignore[call-overload]  # options differ by store
        folder = Path(str(where).removeprefix("file://"))
        try:
            return cls(LocalStore(folder.absolute(), mkdir=True))
        except (BaseError, OSError) as error:
            raise Unavailable(
                "blobs.unavailable", f"The folder {folder} cannot be used for blobs."
            ) from error

    async def put(self, key: str, data: bytes) -> None:
        """Store bytes, whole or not at all; Unavailable("blobs.unavailable"), Invalid("blobs.key")."""
        try:
            await self._store.put_async(_checked(key), data)
        except (BaseError, OSError) as error:
            raise _away() from error

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> bytes:
        """Return the bytes from `start` to before `end`; Missing("blobs.missing"), Unavailable as above."""
        try:
            if start == 0 and end is None:
                return bytes(await (await self._store.get_async(_checked(key))).bytes_async())
            last = await self.size(key) if end is None else end
            if last <= start:
                return b""
            return bytes(await self._store.get_range_async(_checked(key), start=start, end=last))
        except FileNotFoundError as error:
            raise _missing() from error
        except (BaseError, OSError) as error:
            raise _away() from error

    async def size(self, key: str) -> int:
        """Return how many bytes there are under a key; Missing("blobs.missing"), Unavailable as above."""
        try:
            return int((await self._store.head_async(_checked(key)))["size"])
        except FileNotFoundError as error:
            raise _missing() from error
        except (BaseError, OSError) as error:
            raise _away() from error

    async def delete(self, key: str) -> None:
        """Remove what is under a key; nothing there is no error."""
        try:
            await self._store.delete_async(_checked(key))
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
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
