"""Somebody at a customer."""

from __future__ import annotations

import pytest

from tests.fakes.proofs import Visitor
from tests.fakes.sample_workspaces import SampleWorkspace


@pytest.fixture
def ana(acme: SampleWorkspace) -> Visitor:
    """A person in a browser, who is a contact of nobody yet."""
    return Visitor.create(acme, "ana@buyer.example")
