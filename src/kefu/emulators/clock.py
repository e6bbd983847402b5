"""The instant the emulated world has reached; records later than that have not happened yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime


@dataclass
class Clock:
    """The emulated present, epoch seconds. It stands still until it is set."""

    now: int

    def set(self, instant: datetime) -> None:
        """Move the present; going back is allowed, the world is then as it was."""
        self.now = int(instant.timestamp())

    def http_date(self) -> str:
        """The present as an HTTP Date header has it."""
        return format_datetime(datetime.fromtimestamp(self.now, UTC), usegmt=True)


def parse(instant: str) -> datetime:
    """An ISO instant; one without a zone is UTC. Raises ValueError."""
    parsed = datetime.fromisoformat(instant)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
