"""The invented rows on disk, so that every contender reads the same ones: as Arrow pages and as CSV, a file a table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.csv

from kefu.sources import Page

T = TypeVar("T")

# The order in which the source asks for them.
TABLES = (
    "groups", "schedules", "schedule_versions", "schedule_intervals", "schedule_holidays", "users", "tickets",
    "ticket_events", "satisfaction_ratings",
)  # fmt: skip


@dataclass(frozen=True)
class Written:
    """What was written: rows by table, bytes of CSV, seconds to make and write it all."""

    rows: dict[str, int]
    csv_bytes: int
    seconds: float

    @property
    def total(self) -> int:
        """Rows of all tables."""
        return sum(self.rows.values())


def write(pages: Iterable[Page], folder: Path) -> Written:
    """Write pages as they come, holding one at a time."""
    began, rows = time.monotonic(), dict.fromkeys(TABLES, 0)
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        arrow: dict[str, Any] = {}
        csv: dict[str, Any] = {}
        for name, page in pages:
            if name not in arrow:
                arrow[name] = stack.enter_context(pa.ipc.new_stream(str(folder / f"{name}.arrow"), page.schema))
                csv[name] = stack.enter_context(
                    pa.csv.CSVWriter(
                        str(folder / f"{name}.csv"),
                        page.schema,
                        write_options=pa.csv.WriteOptions(include_header=False),
                    )
                )
            arrow[name].write_table(page)
            csv[name].write_table(page)
            rows[name] += len(page)
    size = sum(path.stat().st_size for path in folder.glob("*.csv"))
    return Written(rows, size, time.monotonic() - began)


def read(folder: Path) -> Iterator[Page]:
    """The pages again, table by table."""
    for name in TABLES:
        path = folder / f"{name}.arrow"
        if path.exists():
            with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
                for batch in stream:
                    yield name, pa.Table.from_batches([batch])


class Feed(Generic[T]):
    """Pages in the form a contender takes; making that form is on no contender's clock.

    ``seconds`` and ``cpu_seconds`` are what was spent here so far, ``rows`` what was handed over.
    """

    def __init__(self, folder: Path, form: Callable[[pa.Table], T]) -> None:
        """Read ``folder`` and bring each page into ``form``."""
        self._pages = read(folder)
        self._form = form
        self.seconds = self.cpu_seconds = 0.0
        self.rows = 0

    def __iter__(self) -> Iterator[tuple[str, T]]:
        """Table name and page."""
        while True:
            began, cpu_began = time.monotonic(), time.thread_time()
            name, page = next(self._pages, (None, None))
            ready = None if page is None else self._form(page)
            self.seconds += time.monotonic() - began
            self.cpu_seconds += time.thread_time() - cpu_began
            if name is None or page is None or ready is None:
                return
            self.rows += len(page)
            yield name, ready


def as_arrow(page: pa.Table) -> pa.Table:
    """The page as it is."""
    return page


def as_tuples(page: pa.Table) -> list[tuple[Any, ...]]:
    """Rows of Python values."""
    return list(zip(*(column.to_pylist() for column in page.columns), strict=True))


def as_json(page: pa.Table) -> list[dict[str, Any]]:
    """Rows as a vendor's API answers them: dicts, instants as text."""
    import pyarrow.compute as pc

    for place, field in enumerate(page.schema):
        if pa.types.is_timestamp(field.type):
            text = pc.strftime(page.column(place).cast(pa.timestamp("s", "UTC")), "%Y-%m-%dT%H:%M:%SZ")
            page = page.set_column(place, field.name, text)
        elif pa.types.is_date(field.type):
            page = page.set_column(place, field.name, page.column(place).cast(pa.string()))
    found: list[dict[str, Any]] = page.to_pylist()
    return found
