"""How often a vendor lets itself be asked: calls a window and bucket, in real seconds."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rates:
    """Calls allowed a window of ``window`` seconds; ``enforced`` False only counts."""

    account: int = 700
    incremental: int = 10
    window: float = 60.0
    enforced: bool = True


@dataclass
class Bucket:
    """Calls of the last window."""

    allowed: int
    window: float
    _calls: deque[float] = field(default_factory=deque)

    def take(self, now: float | None = None) -> int:
        """Count a call; returns 0 if it is allowed, else the seconds to wait (and does not count it)."""
        now = time.monotonic() if now is None else now
        while self._calls and now - self._calls[0] >= self.window:
            self._calls.popleft()
        if len(self._calls) >= self.allowed:
            return max(1, math.ceil(self._calls[0] + self.window - now))
        self._calls.append(now)
        return 0

    @property
    def remaining(self) -> int:
        """Calls left in this window."""
        return max(0, self.allowed - len(self._calls))

    def reset(self, now: float | None = None) -> int:
        """Seconds until the oldest call is forgotten."""
        now = time.monotonic() if now is None else now
        return math.ceil(self._calls[0] + self.window - now) if self._calls else math.ceil(self.window)
