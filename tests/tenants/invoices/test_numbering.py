"""How numbers are written."""

from __future__ import annotations

import pytest

from kernel.errors import Invalid
from tenants.invoices.numbering import DEFAULT_SERIES, Series, check_series, write_number


def test_a_number_is_padded_and_outgrows_its_padding() -> None:
    written = [write_number("INV-", 5, running) for running in (1, 99_999, 100_000)]
    assert written == ["INV-00001", "INV-99999", "INV-100000"]
    assert write_number("", 1, 7) == "7"


@pytest.mark.parametrize(
    "series",
    [
        Series("", "INV-", 5),
        Series("Invoices", "INV-", 5),
        Series("invoices", "INV 1\n", 5),
        Series("invoices", "X" * 21, 5),
        Series("invoices", "INV-", 0),
        Series("invoices", "INV-", 13),
    ],
)
def test_a_series_that_cannot_be_written_is_refused(series: Series) -> None:
    with pytest.raises(Invalid) as caught:
        check_series(series)
    assert caught.value.code == "series.invalid"


def test_the_default_series_is_legal() -> None:
    assert check_series(DEFAULT_SERIES) == DEFAULT_SERIES
    assert check_series(Series("y-2026", "2026/", 4)).prefix == "2026/"
