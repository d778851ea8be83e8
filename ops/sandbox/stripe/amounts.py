"""Amounts as the pages of the sandbox show them."""

from ops.sandbox.stripe.currencies import THREE_DECIMAL, ZERO_DECIMAL


def write_amount(units: int, currency: str) -> str:
    """Write an amount in Stripe's units: 1 234.50 EUR."""
    exponent = 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2
    whole, rest = divmod(units, 10**exponent)
    grouped = f"{whole:,}".replace(",", "\u202f")
    return f"{grouped}{f'.{rest:0{exponent}d}' if exponent else ''} {currency.upper()}"
