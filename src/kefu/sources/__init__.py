"""The registry of source kinds: every module of this package that defines ``KIND`` is one.

Nothing else lists the kinds. A module says what it lands (``tables``) and how (``extract``); it knows the
vendor and Arrow, never Airflow, never the warehouse: `kefu.load` takes its pages to the raw schema.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import pyarrow as pa
    from pydantic import BaseModel

    from kefu.errors import KefuError

Channel = Literal["ticketing", "telephony", "survey", "files"]
Disposition = Literal["merge", "replace", "append"]


@dataclass(frozen=True)
class Table:
    """A raw table as a source declares it: its columns exist even before the vendor first fills them.

    ``merge`` replaces rows of the same key, ``replace`` makes the table what came in this load (its pages must
    follow each other), ``append`` only adds. Of several rows with one key the last that was yielded stays.
    A row that comes again unchanged is left alone and keeps the load that brought it.

    ``root`` are the columns that say what a row is part of (the ticket of an event): of a row that goes, or moves to
    another root, ``raw_<source>.removed`` remembers it, so that builds know whose facts to make anew.
    ``lookups`` are columns by which builds find the rows of what changed; each tuple gets an index.
    ``zones`` are columns with names of time zones, the vendor's or IANA's: builds get their offsets from UTC.
    """

    name: str
    columns: Mapping[str, pa.DataType]
    key: tuple[str, ...]
    disposition: Disposition = "merge"
    description: str = ""
    root: tuple[str, ...] = ()
    lookups: tuple[tuple[str, ...], ...] = ()
    zones: tuple[str, ...] = ()

    def schema(self) -> pa.Schema:
        """The Arrow schema every page of this table has, in the declared order."""
        import pyarrow as pa

        return pa.schema([pa.field(name, kind, name not in self.key) for name, kind in self.columns.items()])


@dataclass(frozen=True)
class Rejected:
    """A row that could not be read, on its way to ``raw_<source>.quarantine``; nothing is lost silently."""

    entity: str
    reason: str
    row: str
    file: str | None = None
    line: int | None = None
    column: str | None = None
    value: str | None = None


Page = tuple[str, "pa.Table"]


class Supersede(Protocol):
    """Rows of ``table`` with these values that do not come again in this load disappear with it."""

    def __call__(self, table: str, **values: str) -> None:
        """Say so before the page that brings what comes again."""


def _ignore(*_: object, **__: object) -> None: ...


@dataclass
class Extraction:
    """What a source gets to work with: its validated options, secrets, memory and where to say things.

    ``state`` survives between runs (JSON); cursors live there. It is saved in the transaction that saves the
    rows. Change it only after the rows it stands for were yielded: a long extraction is saved in parts, and may be
    cut wherever it changed between two pages.
    ``supersede("calls", _file=name)`` before yielding a file's rows makes a file delivered again replace them;
    ``"quarantine"`` is a table too. ``refuse`` leaves out one input as a whole (a broken file): the others are
    saved all the same, and then the extraction fails with what was refused.
    """

    name: str
    options: Any
    secret: Callable[[str], str]  # "API_TOKEN" -> the value of SOURCES__<NAME>__API_TOKEN
    base: Path  # relative paths in the options start here: the folder of kefu.toml
    state: dict[str, Any] = field(default_factory=dict)
    full: bool = False  # the state was dropped: everything is read again
    reject: Callable[[Rejected], None] = _ignore
    supersede: Supersede = _ignore
    refuse: Callable[[KefuError], None] = _ignore
    progress: Callable[[str], None] = _ignore


@dataclass(frozen=True)
class Kind:
    """A kind of source: one module, one word, used everywhere."""

    name: str
    channel: Channel
    title: str
    options: type[BaseModel]
    tables: tuple[Table, ...]
    extract: Callable[[Extraction], Iterator[Page]]
    schedule: str = "*/15 * * * *"
    secrets: tuple[str, ...] = ()  # what has to be in the environment, e.g. ("API_TOKEN",)
    check: Callable[[Extraction], str] | None = None  # one cheap call; says in a sentence what answered


def secret_name(source: str, secret: str) -> str:
    """The environment variable that holds a secret of a source: SOURCES__ZENDESK__API_TOKEN."""
    return f"SOURCES__{source.upper()}__{secret}"


@cache
def kinds() -> dict[str, Kind]:
    """Every kind of source there is, by name."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        kind = getattr(importlib.import_module(f"{__name__}.{module.name}"), "KIND", None)
        if isinstance(kind, Kind):
            found[kind.name] = kind
    return dict(sorted(found.items()))
