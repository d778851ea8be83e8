"""Protection of stored secrets: keyed hashes for look-ups, and AES-256-GCM with a data key for each workspace."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final, NewType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kernel.errors import Invalid
from kernel.ids import WorkspaceId, new_secret

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

DataKey = NewType("DataKey", bytes)

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12  # NIST SP 800-38D, 5.2.1.1
_FINGERPRINT_BYTES: Final = 4
_TAG_BYTES: Final = 16
_VERSION: Final = b"\x01"
_WRAPPING: Final = "data-key"


class Sealer:
    """Hashes, seals (encrypts and authenticates) and opens, with keys that HKDF (RFC 5869) derives from secrets.

    The first secret is the current one, under which values are hashed and data keys wrapped. Under the others older
    hashes are found and older data keys unwrapped, until a rotation replaces them. What cannot be opened is
    Invalid("seal.broken") whatever the reason; a data key whose secret is unknown is Invalid("seal.key_unknown").

    Layouts: a sealed value is version, fingerprint of the data key, nonce, ciphertext with tag; a wrapped
    data key is version, length of the key id, key id, nonce, ciphertext with tag.
    """

    def __init__(self, secret_keys: Sequence[tuple[str, bytes]]) -> None:
        """Take (key id, 32 bytes) pairs, the current one first."""
        if not secret_keys or any(len(secret) != KEY_BYTES for _, secret in secret_keys):
            raise ValueError("a sealer needs at least one secret of 32 bytes")
        self._secrets = dict(secret_keys)
        self._current = secret_keys[0][0]
        self._derived: dict[tuple[str, str], bytes] = {}
        self._macs: dict[tuple[str, str], hmac.HMAC] = {}

    def __repr__(self) -> str:
        return f"Sealer(current={self._current!r})"

    # Hashes, to look up values of which only the hash is stored.

    def compute_hash(self, purpose: str, data: bytes) -> bytes:
        """Return 32 bytes of HMAC-SHA256 under the current secret; each purpose has its own key."""
        return self._hash(self._current, purpose, data)

    def compute_hashes(self, purpose: str, data: bytes) -> tuple[bytes, ...]:
        """Return the hash under each secret, the current one first; a look-up compares with all."""
        return tuple(self._hash(key_id, purpose, data) for key_id in self._secrets)

    # The data key of a workspace.

    def new_data_key(self) -> DataKey:
        """Return a random data key, which must be stored wrapped."""
        return DataKey(new_secret(KEY_BYTES))

    def wrap(self, data_key: DataKey, workspace: WorkspaceId) -> bytes:
        """Return the data key encrypted under the current secret, for this workspace only."""
        key_id = self._current.encode()
        header = _VERSION + bytes([len(key_id)]) + key_id
        nonce = new_secret(_NONCE_BYTES)
        cipher = AESGCM(self._derive(self._current, _WRAPPING))
        associated_data = _encode_associated_data(header, _WRAPPING, workspace.bytes)
        return header + nonce + cipher.encrypt(nonce, data_key, associated_data)

    def unwrap(self, wrapped: bytes, workspace: WorkspaceId) -> DataKey:
        """Return the data key of a workspace; see the class for errors."""
        key_id, encrypted = self._parse_header(wrapped)
        header = wrapped[: len(wrapped) - len(encrypted)]
        cipher = AESGCM(self._derive(key_id, _WRAPPING))
        return DataKey(
            _decrypt(cipher, encrypted, _encode_associated_data(header, _WRAPPING, workspace.bytes))
        )

    # Values.

    def seal(
        self, plain: bytes, *, table: str, row: UUID, workspace: WorkspaceId, data_key: DataKey
    ) -> bytes:
        """Return `plain` sealed: it can be opened only with the same table, row, workspace and data key.

        If a table has two sealed columns, `table` names the column too: "contact.totp" and "contact.phone".
        """
        header = _VERSION + _compute_fingerprint(data_key)
        nonce = new_secret(_NONCE_BYTES)
        associated_data = _encode_associated_data(header, table, row.bytes, workspace.bytes)
        return header + nonce + AESGCM(data_key).encrypt(nonce, plain, associated_data)

    def open(
        self, sealed: bytes, *, table: str, row: UUID, workspace: WorkspaceId, data_key: DataKey
    ) -> bytes:
        """Return what was sealed with the same arguments; raises Invalid("seal.broken")."""
        header, encrypted = sealed[: 1 + _FINGERPRINT_BYTES], sealed[1 + _FINGERPRINT_BYTES :]
        if header != _VERSION + _compute_fingerprint(data_key):
            raise _make_broken()
        return _decrypt(
            AESGCM(data_key), encrypted, _encode_associated_data(header, table, row.bytes, workspace.bytes)
        )

    def _hash(self, key_id: str, purpose: str, data: bytes) -> bytes:
        mac = self._macs.get((key_id, purpose))
        if mac is None:
            mac = hmac.new(self._derive(key_id, f"hash/{purpose}"), digestmod="sha256")
            # Bounded as the keys are. A copy costs half of what a new one does, and each page has several.
            self._macs[key_id, purpose] = mac
        mac = mac.copy()
        mac.update(data)
        return mac.digest()

    def _derive(self, key_id: str, purpose: str) -> bytes:
        key = self._derived.get((key_id, purpose))
        if key is None:
            info = f"invoice-portal/{purpose}".encode()
            key = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(
                self._secrets[key_id]
            )
            # Bounded: purposes are constants.
            self._derived[key_id, purpose] = key
        return key

    def _parse_header(self, wrapped: bytes) -> tuple[str, bytes]:
        if wrapped[:1] != _VERSION or len(wrapped) < 2:
            raise _make_broken()
        start = 2 + wrapped[1]
        key_id = wrapped[2:start].decode("ascii", "replace")
        if key_id not in self._secrets:
            text = "A data key was wrapped by a secret that is no longer in PORTAL_SECRET_KEYS."
            raise Invalid("seal.key_unknown", text, key_id=key_id)
        return key_id, wrapped[start:]


def _encode_associated_data(header: bytes, *parts: str | bytes) -> bytes:
    """Encode each part after its length, so that different parts never give the same bytes."""
    encoded = [header, *(part.encode() if isinstance(part, str) else part for part in parts)]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def _decrypt(cipher: AESGCM, encrypted: bytes, associated_data: bytes) -> bytes:
    if len(encrypted) < _NONCE_BYTES + _TAG_BYTES:
        raise _make_broken()
    try:
        return cipher.decrypt(encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:], associated_data)
    except InvalidTag:
        raise _make_broken() from None


def _compute_fingerprint(data_key: DataKey) -> bytes:
    return hashlib.sha256(b"invoice-portal/data-key/" + data_key).digest()[:_FINGERPRINT_BYTES]


def _make_broken() -> Invalid:
    return Invalid("seal.broken", "A sealed value cannot be opened here.")
