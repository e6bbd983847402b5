"""The one kind of error a user sees: what was expected, what was found, where, and what to do about it."""

from __future__ import annotations


class KefuError(Exception):
    """A problem the user can act on. The command line prints it without a traceback.

    ``summary`` says what went wrong in one sentence; the keyword arguments become one line each.
    """

    def __init__(
        self,
        summary: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        where: str | None = None,
        do: str | None = None,
    ) -> None:
        """Say ``summary`` first, then what was given."""
        self.summary = summary
        self.expected = expected
        self.found = found
        self.where = where
        self.do = do
        lines = [("expected", expected), ("found", found), ("where", where), ("what to do", do)]
        super().__init__("\n".join([summary, *(f"  {name}: {text}" for name, text in lines if text)]))

    def __reduce__(self) -> tuple[object, ...]:
        """Airflow sends exceptions between processes; the default would lose the keyword arguments."""
        return (_rebuild, (self.summary, self.expected, self.found, self.where, self.do))


def _rebuild(summary: str, expected: str | None, found: str | None, where: str | None, do: str | None) -> KefuError:
    return KefuError(summary, expected=expected, found=found, where=where, do=do)
