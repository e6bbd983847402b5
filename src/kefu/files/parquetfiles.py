"""Parquet, a batch of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from kefu.files.cells import Column
from kefu.files.frames import Chunk
from kefu.files.headers import Header, missing_columns
from kefu.files.mapping import FileOptions
from kefu.files.opening import Delivery, Format, refused, refusing, seekable
from kefu.files.records import ABSENT, Seen, look_up, record_text, records_chunk, steps_of


class ParquetReader:
    """A Parquet file, a batch of rows at a time. A row's line is its number, from 1."""

    format: Format = "parquet"

    def __init__(
        self, delivery: Delivery, stream: IO[bytes], options: FileOptions, needed: frozenset[str], chunk_rows: int
    ) -> None:
        """Open the file as far as its columns. Raises RefusedError."""
        self.delivery = delivery
        self.options = options
        self.chunk_rows = chunk_rows
        self._stream = seekable(stream)
        with self._refusing():
            import pyarrow.parquet as parquet

            self._file = parquet.ParquetFile(self._stream)
        self.columns: Sequence[str] = list(self._file.schema_arrow.names)
        self._seen = Seen(frozenset(), frozenset())
        header = Header(delivery, self.columns, options.optional)
        self.positions: dict[str, int | None] = {}
        problems = []
        for name in sorted(needed):
            try:
                self.positions[name] = header.find(name)
            except LookupError as error:
                top = str(steps_of(name)[0]) if steps_of(name) else name
                if top == name or top not in self.columns:
                    problems.append(str(error))
        if problems:
            raise missing_columns(delivery, problems, self.columns)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        import pyarrow as pa

        with refusing(self.delivery.name):
            try:
                yield
            except (pa.ArrowException, OSError) as error:
                if getattr(error, "errno", None) is not None:
                    raise  # the file system's trouble, not the file's
                raise refused(
                    self.delivery.name,
                    "the Parquet file is cut off or damaged.",
                    found=str(error).splitlines()[0],
                    where=str(self.delivery.path),
                    do="Have it delivered again.",
                ) from None

    def chunks(self) -> Iterator[Chunk]:
        """The rows, in order."""
        taken = 0
        with self._refusing():
            for batch in self._file.iter_batches(batch_size=self.chunk_rows):
                yield self._chunk(batch, taken)
                taken += batch.num_rows

    def _chunk(self, batch: Any, taken: int) -> Chunk:
        numbers = list(range(taken + 1, taken + batch.num_rows + 1))

        def column(name: str) -> Column:
            position = self.positions.get(name, -1)
            if position is None:
                return [None] * batch.num_rows
            if position >= 0:
                return _cells(batch.column(position))
            steps = steps_of(name)
            inner = ".".join(str(step) for step in steps[1:])
            found = [look_up(cell, inner) for cell in _cells(batch.column(self.columns.index(str(steps[0]))))]
            return [None if cell is ABSENT else cell for cell in found]

        def each(path: str) -> Chunk:
            names = self.columns
            columns = [_cells(batch.column(index)) for index in range(len(names))]
            records = [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]
            return records_chunk(records, numbers, numbers, [], self._seen).each(path)  # type: ignore[misc]

        def row_text(index: int) -> str:
            row = batch.slice(index, 1)
            return record_text({name: _cells(row.column(at))[0] for at, name in enumerate(self.columns)})

        return Chunk(numbers, numbers, column, row_text, [], each)

    def missing(self) -> list[str]:
        """Nothing: the schema said it all."""
        return []

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()


def _cells(array: Any) -> Column:
    import pyarrow as pa

    if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
        array = array.cast(pa.timestamp("us", array.type.tz), safe=False)
    cells: Column = array.to_pylist()
    return cells
