"""One request as the edge has understood it: everything later steps need to know, read only once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from kernel.ids import nonce
from tenants.workspaces.profile import ResolvedHost, WorkspaceProfile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Headers = dict[bytes, bytes]
KEY: Final = "visit"
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9_-]{8,64}\Z")


@dataclass(slots=True)
class Visit:
    """Who asks what: filled by the edge, read by handlers through `visit_of`."""

    request_id: str
    headers: Headers
    address: str
    is_head: bool
    host: ResolvedHost | None = None
    """Whose host it is; the probes alone are answered without one."""

    @property
    def workspace(self) -> WorkspaceProfile:
        """The workspace of the host."""
        if self.host is None:
            raise LookupError("this route is answered without a workspace")
        return self.host.workspace


def visit_of(scope: Mapping[str, Any]) -> Visit:
    """Return what the edge knows of the request that `scope` belongs to."""
    return cast("Visit", scope[KEY])


def joined(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the headers by name; those sent twice are joined by a comma (RFC 9110, 5.3)."""
    found: Headers = {}
    again: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name not in found:
            found[name] = value
        elif name in again:
            again[name].append(value)
        else:
            again[name] = [found[name], value]
    # Once for each name: joined one by one, a head of many equal headers would cost their number squared.
    for name, values in again.items():
        found[name] = b",".join(values)
    return found


def request_id(headers: Headers, *, from_proxy: bool) -> str:
    """Return the id that a trusted proxy gave the request when it is well formed, else a new one."""
    given = headers.get(b"x-request-id") if from_proxy else None
    if given is not None and _REQUEST_ID.match(given):
        return given.decode()
    return nonce()
