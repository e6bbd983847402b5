"""The reader for a file: delimited text, a workbook, JSON, JSON lines or Parquet, told by its content.

A reader knows the columns of its file, where each row stands in it and how the row reads there. A row that is none
(too many fields, a quote in the wrong place, no JSON) comes out as `Broken`; what makes the file as a whole
unreadable raises `RefusedError`.
"""

from __future__ import annotations

from kefu.files.delimited import DelimitedReader
from kefu.files.headers import Reader
from kefu.files.jsonfiles import JsonReader
from kefu.files.mapping import FileOptions
from kefu.files.opening import Delivery, detect_format, open_unpacked, refused, refusing
from kefu.files.parquetfiles import ParquetReader
from kefu.files.workbooks import WorkbookReader

CHUNK_ROWS = 20_000


def open_reader(
    delivery: Delivery, options: FileOptions, needed: frozenset[str], chunk_rows: int = CHUNK_ROWS
) -> Reader:
    """The reader for a file. Raises RefusedError when a needed column is missing or the file cannot be read at all."""
    with refusing(delivery.name):
        stream = open_unpacked(delivery.path, delivery.name)
        found = detect_format(stream, delivery.name)
        if options.format not in ("auto", found):
            if "parquet" in (found, options.format) or "xlsx" in (found, options.format):
                raise refused(
                    delivery.name,
                    f"the mapping says it is {options.format}, but its content is {found}.",
                    where=str(delivery.path),
                    do="Leave file.format away: it is told by the content.",
                )
            found = options.format  # type: ignore[assignment]
        if found == "json_lines" and options.format == "auto" and options.records:
            found = "json"
        if found == "delimited":
            return DelimitedReader(delivery, stream, options, needed, chunk_rows)
        if found == "xlsx":
            return WorkbookReader(delivery, stream, options, needed, chunk_rows)
        if found == "parquet":
            return ParquetReader(delivery, stream, options, needed, chunk_rows)
        return JsonReader(delivery, stream, options, needed, chunk_rows, by_line=found == "json_lines")
