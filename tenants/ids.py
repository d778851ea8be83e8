"""Typed ids of the rows of a workspace."""

from __future__ import annotations

from typing import NewType
from uuid import UUID

CustomerId = NewType("CustomerId", UUID)
ContactId = NewType("ContactId", UUID)
DomainId = NewType("DomainId", UUID)
InvoiceId = NewType("InvoiceId", UUID)
LinkId = NewType("LinkId", UUID)
SessionId = NewType("SessionId", UUID)
CommentId = NewType("CommentId", UUID)
CodeId = NewType("CodeId", UUID)
AuthenticatorId = NewType("AuthenticatorId", UUID)
AttemptId = NewType("AttemptId", UUID)
RefundId = NewType("RefundId", UUID)
LedgerEntryId = NewType("LedgerEntryId", UUID)
ConnectionId = NewType("ConnectionId", UUID)
