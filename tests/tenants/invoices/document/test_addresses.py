from __future__ import annotations

import pytest

from kernel.language import Language
from tenants.invoices.content import (
    Address,
)
from tenants.invoices.document import addresses
from tests.fakes.document_models import (
    SELLER,
)


@pytest.mark.parametrize(
    ("address", "lines"),
    [
        (SELLER.address, ("Speicherstraße 14", "20457 Hamburg", "Germany")),
        (
            Address(
                street="548 Market St",
                city="San Francisco",
                subdivision="CA",
                postal_code="94104",
                country="US",
            ),
            ("548 Market St", "San Francisco, CA 94104", "United States"),
        ),
        (
            Address(street="4 Wharf", city="Bristol", postal_code="BS1 6UX", country="GB"),
            ("4 Wharf", "Bristol", "BS1 6UX"),
        ),
        (
            Address(
                street="丸の内1丁目9番2号",
                city="千代田区",
                subdivision="東京都",
                postal_code="100-0005",
                country="JP",
            ),
            ("〒100-0005", "東京都千代田区", "丸の内1丁目9番2号", "Japan"),
        ),
        (Address(city="Manama", postal_code="304", country="BH"), ("Manama 304", "Bahrain")),
        (Address(), ()),
    ],
)
def test_an_address_is_written_as_in_its_own_country(address: Address, lines: tuple[str, ...]) -> None:
    assert addresses.format_address(address, Language.load("en-GB"), home_country="GB") == lines
