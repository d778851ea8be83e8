"""How the Stripe sandbox reads nested forms."""

from typing import Any
from urllib.parse import urlencode

import pytest
from stripe._encode import _api_encode

from ops.sandbox.stripe.routing import decode_pairs


@pytest.mark.parametrize(
    "parameters",
    [
        {"amount": "2000", "metadata": {"attempt": "x", "note": "a=b&c[d]"}},
        {"expand": ["latest_charge", "data.charge"], "created": {"gte": "5"}},
        {"payment_method_data": {"billing_details": {"address": {"city": "Łódź"}}}, "description": ""},
        {"items": [{"price": "1", "taxes": ["a", "b"]}, {"price": "2"}]},
    ],
)
def test_what_the_sdk_encodes_is_decoded_to_the_same(parameters: dict[str, Any]) -> None:
    assert decode_pairs(urlencode(list(_api_encode(parameters)))) == parameters


def test_names_without_numbers_are_appended() -> None:
    assert decode_pairs("expand[]=a&expand[]=b") == {"expand": ["a", "b"]}


def test_a_name_that_is_both_a_value_and_a_parent_does_not_break_the_reader() -> None:
    assert decode_pairs("a=1&a[b]=2")["a"] == "1"
