"""What an examination says: something that is not as it should be, and what to do about it."""

from collections.abc import Callable
from dataclasses import dataclass

# Takes a sentence about something that was looked at and is well.
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be, and what to do about it."""

    what: str
    cure: str

    def as_row(self) -> dict[str, object]:
        """Return it as a plain mapping."""
        return {"what": self.what, "cure": self.cure}
