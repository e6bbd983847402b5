"""The columns of a file and how a mapping's names find them; what every reader offers."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Protocol

from kefu.files.frames import Chunk
from kefu.files.opening import Delivery, Format, RefusedError, refused


class Reader(Protocol):
    """What every reader offers; the columns may grow while it reads (JSON)."""

    format: Format

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns."""

    def chunks(self) -> Iterator[Chunk]:
        """The rows, in the order of the file."""

    def missing(self) -> list[str]:
        """Columns the mapping needs that the file turned out not to have; asked at the end."""

    def close(self) -> None:
        """Let go of the file."""


def tidy_name(name: str) -> str:
    """A column's name as it is compared: no mark, single spaces, one form of each character, any case."""
    text = unicodedata.normalize("NFKC", name.replace("\ufeff", ""))
    return " ".join(text.split()).casefold()


class Header:
    """The columns of a table and how a mapping's names find them."""

    def __init__(self, delivery: Delivery, names: Sequence[str], optional: frozenset[str]) -> None:
        """``names`` as the file has them; ``optional`` ones may be missing."""
        self.delivery = delivery
        self.names = [" ".join(name.replace("\ufeff", "").split()) for name in names]
        self.optional = {tidy_name(name) for name in optional}

    def find(self, name: str) -> int | None:
        """The position of a column; None if it is missing but may be. Raises LookupError saying why not."""
        if numbered := re.fullmatch(r"(.*)#([1-9][0-9]*)", name):
            position = self._numbered(numbered[1].strip(), int(numbered[2]))
            if position is not None:
                return position
        exact = [index for index, each in enumerate(self.names) if each == name]
        loose = exact or [index for index, each in enumerate(self.names) if tidy_name(each) == tidy_name(name)]
        if len(loose) == 1:
            return loose[0]
        if loose:
            places = " and ".join(str(index + 1) for index in loose)
            raise LookupError(f"the name {name!r} stands over columns {places}; write '{name}#1' or '{name}#2'")
        if tidy_name(name) in self.optional:
            return None
        raise LookupError(f"there is no column {name!r}{_nearest(name, self.names)}")

    def _numbered(self, name: str, number: int) -> int | None:
        if not name:  # '#3' is the third column, whatever its name
            return number - 1 if number <= len(self.names) else None
        same = [index for index, each in enumerate(self.names) if tidy_name(each) == tidy_name(name)]
        return same[number - 1] if number <= len(same) else None

    def positions(self, needed: frozenset[str]) -> dict[str, int | None]:
        """Where each needed column is. Raises RefusedError naming every one that is missing."""
        found: dict[str, int | None] = {}
        problems = []
        for name in sorted(needed):
            try:
                found[name] = self.find(name)
            except LookupError as error:
                problems.append(str(error))
        if problems:
            raise missing_columns(self.delivery, problems, self.names)
        return found


def _nearest(name: str, names: Sequence[str]) -> str:
    folded = {tidy_name(each): each for each in names}
    near = difflib.get_close_matches(tidy_name(name), list(folded), 1, 0.6)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


def missing_columns(delivery: Delivery, problems: Sequence[str], names: Sequence[str]) -> RefusedError:
    """The refusal of a file that lacks columns the mapping reads."""
    listed = " | ".join(names[:60]) + (f" | … {len(names) - 60} more" if len(names) > 60 else "")
    return refused(
        delivery.name,
        "; ".join(problems) + ".",
        found=f"{len(names)} column{'s' if len(names) != 1 else ''}: {listed}",
        where=str(delivery.path),
        do="Correct the mapping, or list the column under file: {optional: [...]} if it may be missing.",
    )
