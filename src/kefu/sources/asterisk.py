"""Asterisk: what happened to each call in the queues, from the files of queue_log.

Lands in ``raw_asterisk.queue_log``, one row per line, merged on (file_id, byte_offset): which file, whatever it
is called now, and where in it. A file is known by its first line, so that logrotate may rename it, copy and
truncate it, or compress it: what was read is not read again, and reading it again would change nothing.

A last line without its end waits for the next run. A line that is no queue_log line goes to quarantine.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from kefu.errors import KefuError
from kefu.sources import Extraction, Kind, Page, Rejected, Table
from kefu.sources.pages import TIMESTAMP

_DATA = tuple(f"data{number}" for number in range(1, 6))
_FIELDS = ("epoch", "callid", "queue", "agent", "event", *_DATA)
_NEEDED = 5  # fields up to the event; the rest may be missing
_EPOCH = r"^[0-9]{1,11}(\.[0-9]+)?$"

_BLOCK = 8 << 20  # bytes read and parsed at once
_LONGEST_LINE = 1 << 20
_TAIL = 1024  # bytes before the offset that must still be there


class Options(BaseModel):
    """Settings in ``[sources.asterisk]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pause_reasons: dict[
        str, Literal["wrap", "break", "lunch", "meeting", "training", "coaching", "available", "offline", "other"]
    ] = Field({}, description="What the site's own reasons of a pause mean.")
    path: str | list[str] = Field(
        min_length=1,
        description="The log and its rotated files, plain or .gz, as a pattern: '/var/log/asterisk/queue_log*'.",
    )


QUEUE_LOG = Table(
    "queue_log",
    {
        "file_id": pa.string(),
        "byte_offset": pa.int64(),
        "occurred_at": TIMESTAMP,
        "callid": pa.string(),
        "queue": pa.string(),
        "agent": pa.string(),
        "event": pa.string(),
        **dict.fromkeys(_DATA, pa.string()),
    },
    key=("file_id", "byte_offset"),
    root=("callid",),
    lookups=(("callid",), ("agent", "occurred_at")),
    description="One row per line of queue_log; byte_offset counts in the file as it was before compression.",
)


@dataclass(frozen=True)
class _File:
    path: Path
    file_id: str
    begins: str  # the first line's instant
    size: int
    mtime: int

    @property
    def packed(self) -> bool:
        return self.path.suffix == ".gz"


PAUSE_REASONS = Table(
    "pause_reasons",
    {"reason": pa.string(), "state": pa.string()},
    key=("reason",),
    disposition="replace",
    description="One row per reason of a pause that the settings name, with the state it is.",
)


def extract(extraction: Extraction) -> Iterator[Page]:
    """Every complete line that was not read before, oldest file first."""
    said = extraction.options.pause_reasons
    if said or extraction.state.get("pause_reasons"):
        yield PAUSE_REASONS.name, _pause_reasons(said)
    extraction.state["pause_reasons"] = bool(said)
    known: dict[str, dict[str, Any]] = extraction.state.setdefault("files", {})
    for file in _one_of_each(extraction, _find(extraction)):
        if extraction.full:
            extraction.supersede(QUEUE_LOG.name, file_id=file.file_id)
        yield from _read(extraction, file, known)


def _pause_reasons(said: dict[str, str]) -> pa.Table:
    rows = [{"reason": reason, "state": state} for reason, state in sorted(said.items())]
    return pa.Table.from_pylist(rows, schema=PAUSE_REASONS.schema())


def check(extraction: Extraction) -> str:
    """Look for the files and into the first; says how many there are and when the newest was written."""
    files = _find(extraction)
    if not files:
        return "the log is still empty"
    newest = max(files, key=lambda file: file.mtime)
    written = datetime.fromtimestamp(newest.mtime / 1e9, UTC)
    return f"{len(files)} files; {newest.path} was last written to at {written:%Y-%m-%d %H:%M:%S} UTC"


def parse(block: bytes, starts: np.ndarray[Any, Any]) -> tuple[pa.Table, list[tuple[int, str]]]:
    """The lines of a block as columns, and of each line that is not one of queue_log its index and why.

    ``starts`` are where the lines begin in the block, and its end; every line ends with a newline. Columns are those
    of queue_log without file_id and byte_offset, plus ``index``: which line a row is. Empty fields are null.
    """
    raw = pa.Array.from_buffers(
        pa.binary(), len(starts) - 1, [None, pa.py_buffer(starts.astype(np.int32)), pa.py_buffer(block)]
    )
    problems: dict[int, str] = {}
    try:
        lines = raw.cast(pa.string())
    except pa.ArrowInvalid:
        lines = _decode(raw, problems)
    split = pc.split_pattern(pc.utf8_rtrim(lines, characters="\r\n"), "|")
    lengths = pc.fill_null(pc.list_value_length(split), 0).to_numpy()
    begins = np.cumsum(lengths) - lengths
    values = split.flatten()
    columns = {
        name: _null_if_empty(pc.take(values, pa.array(begins + place, mask=lengths <= place)))
        for place, name in enumerate(_FIELDS)
    }
    timed = pc.fill_null(pc.match_substring_regex(columns["epoch"], _EPOCH), False)
    good = pc.and_(timed, pc.is_valid(columns["event"]))
    for index in np.flatnonzero(~good.to_numpy(zero_copy_only=False)).tolist():
        if lengths[index] == 1 and columns["epoch"][index].as_py() is None:
            continue  # an empty line says nothing
        if lengths[index] < _NEEDED:
            why = f"{lengths[index]} fields where at least {_NEEDED} belong: epoch|callid|queue|agent|event"
        elif not timed[index].as_py():
            why = f"a line begins with the second since 1970, not with {columns['epoch'][index].as_py()!r:.40}"
        else:
            why = "there is no event"
        problems.setdefault(index, why)
    columns = {name: column.filter(good) for name, column in columns.items()}
    micros = pc.round(pc.multiply(columns.pop("epoch").cast(pa.float64()), 1e6))
    found = pa.table(
        {
            "index": pa.array(np.flatnonzero(good.to_numpy(zero_copy_only=False))),
            "occurred_at": micros.cast(pa.int64()).cast(TIMESTAMP),
            **columns,
        }
    )
    return found, sorted(problems.items())


def _null_if_empty(column: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def _decode(raw: pa.Array, problems: dict[int, str]) -> pa.Array:
    """Line by line, for a block that is not all UTF-8."""
    lines: list[str | None] = []
    for index, line in enumerate(raw.to_pylist()):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError as error:
            lines.append(None)
            problems[index] = f"not UTF-8: {error.reason} at byte {error.start} of the line"
    return pa.array(lines, pa.string())


def _read(extraction: Extraction, file: _File, known: dict[str, dict[str, Any]]) -> Iterator[Page]:
    """The lines of one file behind what was read of it, whatever it was called then."""
    memory = known.get(file.file_id, {"offset": 0, "lines": 0, "tail": "", "whole": False})
    offset, lines = memory["offset"], memory["lines"]
    if memory["whole"] if file.packed else file.size <= offset:
        return  # nothing new, or an older copy of it
    with _open(file.path) as stream:
        rest = b""
        tail = _tail(extraction, file, stream, memory)
        try:
            while piece := stream.read(_BLOCK):
                block = rest + piece
                end = block.rfind(b"\n") + 1
                block, rest = block[:end], block[end:]
                if len(rest) > _LONGEST_LINE:
                    raise _no_log(extraction, file, offset + end)
                if not block:
                    continue
                page, count = _page(extraction, file, block, offset, lines)
                yield QUEUE_LOG.name, page
                tail = (tail + block)[-_TAIL:]
                offset, lines = offset + end, lines + count
                memory = {"offset": offset, "lines": lines, "tail": _hash(tail), "whole": False}
                if not extraction.full:
                    known[file.file_id] = memory
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            if _unpacked(file.path).exists():
                return  # being compressed at this moment
            extraction.supersede("quarantine", file=str(file.path), reason=_DAMAGED)
            _reject(extraction, file, lines + 1, _DAMAGED, f"after {offset} bytes: {error}")
            yield QUEUE_LOG.name, QUEUE_LOG.schema().empty_table()
            return
        if file.packed:
            if rest:  # nobody will end this line any more
                _reject(extraction, file, lines + 1, "the file ends within this line", _readable(rest))
            yield QUEUE_LOG.name, QUEUE_LOG.schema().empty_table()
            memory = {**memory, "whole": True}
        if memory["offset"]:
            known[file.file_id] = memory  # of a file that replaces its rows only now: it counts as a whole


_DAMAGED = "the archive is damaged or cut short; what could be read of it was"


def _page(extraction: Extraction, file: _File, block: bytes, offset: int, lines: int) -> tuple[pa.Table, int]:
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + 1
    starts = np.concatenate(([0], ends))
    rows, problems = parse(block, starts)
    for index, why in problems:
        text = _readable(block[starts[index] : starts[index + 1]].rstrip(b"\r\n"))
        _reject(extraction, file, lines + index + 1, why, text)
    places = starts[rows.column("index").to_numpy()] + offset
    page = rows.drop_columns(["index"]).append_column("byte_offset", pa.array(places, pa.int64()))
    page = page.append_column("file_id", pa.array([file.file_id] * len(page), pa.string()))
    return page.select(QUEUE_LOG.schema().names).cast(QUEUE_LOG.schema()), len(ends)


def _tail(extraction: Extraction, file: _File, stream: IO[bytes], memory: dict[str, Any]) -> bytes:
    """Go to where reading stopped; the bytes before it, which have to be those that were read."""
    stream.seek(max(0, memory["offset"] - _TAIL))
    tail = stream.read(min(_TAIL, memory["offset"]))
    if memory["offset"] and _hash(tail) != memory["tail"]:
        raise KefuError(
            f"{extraction.name}: a log was rewritten.",
            expected=f"the {len(tail)} bytes before byte {memory['offset']} as they were read",
            found="other bytes: a log only grows, or is renamed or compressed",
            where=str(file.path),
            do="If it is the log of another server that began with the same line, give that server a source of its own."
            f" If the file was edited on purpose: `kefu extract {extraction.name} --full`.",
        )
    return tail


def _reject(extraction: Extraction, file: _File, line: int, why: str, text: str) -> None:
    extraction.reject(Rejected(QUEUE_LOG.name, why, text, file=str(file.path), line=line))


def _readable(text: bytes) -> str:
    return text[:10_000].decode("utf-8", "backslashreplace")


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _no_log(extraction: Extraction, file: _File, offset: int) -> KefuError:
    return KefuError(
        f"{extraction.name}: a file is no queue_log.",
        expected="lines like epoch|callid|queue|agent|event|data1|...",
        found=f"no end of line within {_LONGEST_LINE:,} bytes",
        where=f"{file.path}, from byte {offset}",
        do=f"Make path of source {extraction.name} match the queue logs alone, or move the file away.",
    )


def _find(extraction: Extraction) -> list[_File]:
    """The files that have a complete first line, by its instant."""
    patterns = extraction.options.path
    patterns = [patterns] if isinstance(patterns, str) else patterns
    wanted = [extraction.base.absolute() / Path(pattern).expanduser() for pattern in patterns]
    roots = ((Path(pattern.anchor), str(pattern.relative_to(pattern.anchor))) for pattern in wanted)
    paths = {path for root, pattern in roots for path in root.glob(pattern) if path.is_file()}
    if not paths:
        raise KefuError(
            f"{extraction.name}: there is no queue_log.",
            expected=f"files like {', '.join(map(str, wanted))}",
            found="no file of such a name",
            do=f"Check path of source {extraction.name}, and that Asterisk writes queue_log (logger.conf).",
        )
    files = []
    for path in paths:
        try:
            status, first = path.stat(), _first_line(extraction, path)
        except FileNotFoundError:
            continue  # logrotate renamed it just now: its lines come under the new name, if not now, the next time
        except PermissionError as error:
            raise KefuError(
                f"{extraction.name}: a log may not be read.",
                found=str(error),
                where=str(path),
                do="Let the user that Kefu runs as read it; Asterisk's group usually may.",
            ) from error
        if first:
            begins = first.split(b"|", 1)[0].decode("ascii", "replace")
            files.append(_File(path, _hash(first), begins, status.st_size, status.st_mtime_ns))
    return sorted(files, key=lambda file: (file.begins.zfill(20), str(file.path)))


def _one_of_each(extraction: Extraction, files: list[_File]) -> Iterator[_File]:
    """Of a file that is there twice (being copied, being compressed) the one that knows most."""
    same: dict[str, list[_File]] = {}
    for file in files:
        same.setdefault(file.file_id, []).append(file)
    for copies in same.values():
        plain = sorted((file for file in copies if not file.packed), key=lambda file: -file.size)
        for other in plain[1:]:
            _same_beginning(extraction, plain[0], other)
        yield (plain or copies)[0]


def _same_beginning(extraction: Extraction, one: _File, other: _File) -> None:
    length = min(one.size, other.size, 1 << 16)
    with one.path.open("rb") as first, other.path.open("rb") as second:
        if first.read(length) != second.read(length):
            raise KefuError(
                f"{extraction.name}: two logs begin with the same line and go on differently.",
                found=f"{one.path} and {other.path}",
                do="One source reads the log of one Asterisk. Give the other server a source of its own.",
            )


def _first_line(extraction: Extraction, path: Path) -> bytes | None:
    """The first line; None if it is not complete yet."""
    try:
        with _open(path) as stream:
            line = stream.readline(_LONGEST_LINE)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        if not _unpacked(path).exists():  # else it is being compressed at this moment
            extraction.supersede("quarantine", file=str(path), reason=_DAMAGED)
            extraction.reject(Rejected(QUEUE_LOG.name, _DAMAGED, f"nothing of it: {error}", file=str(path), line=1))
        return None
    return line if line.endswith(b"\n") else None


def _unpacked(path: Path) -> Path:
    return path.with_suffix("") if path.suffix == ".gz" else path


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")


KIND = Kind(
    name="asterisk",
    channel="telephony",
    title="Asterisk queue_log",
    options=Options,
    tables=(QUEUE_LOG, PAUSE_REASONS),
    extract=extract,
    schedule="*/5 * * * *",
    check=check,
)
