"""Column types that Piccolo does not have."""

from __future__ import annotations

from piccolo.columns import Column


class Network(Column):
    """A range of addresses (Postgres' cidr)."""

    value_type = str

    @property
    def column_type(self) -> str:
        """The type's name in SQL."""
        return "CIDR"
