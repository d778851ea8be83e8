"""Match keys: the strongest mark counts, and spelling does not."""

from __future__ import annotations

from tenants.customers.matching import build_match_key

BARE = {"name": "Wren", "vat_id": "", "identifier": "", "postal_code": "", "country": ""}


def test_the_vat_id_outweighs_the_identifier_and_the_name() -> None:
    assert build_match_key(**BARE | {"vat_id": "DE 123", "identifier": "K-7"}) == "vat:DE123"
    assert build_match_key(**BARE | {"identifier": "K-7"}) == "id:k-7"
    assert build_match_key(**BARE | {"postal_code": "ba1 5le", "country": "gb"}) == "name:wren|BA15LE|GB"


def test_spelling_makes_no_difference() -> None:
    composed, decomposed = "M\u00fcller  GmbH", "MU\u0308LLER gmbh"
    assert build_match_key(**BARE | {"name": composed}) == build_match_key(**BARE | {"name": decomposed})


def test_a_name_cannot_pretend_to_be_a_vat_id() -> None:
    assert build_match_key(**BARE | {"name": "vat:DE123"}) == "name:vat:de123||"
