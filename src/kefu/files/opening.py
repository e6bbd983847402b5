"""From a path to bytes or text: packed or plain by content, never by name; refused with one clear message."""

from __future__ import annotations

import bz2
import codecs
import gzip
import hashlib
import io
import json
import lzma
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from kefu.errors import KefuError

BLOCK = 1 << 20
Format = Literal["delimited", "xlsx", "json", "json_lines", "parquet"]

_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
_MARKS = (  # the longer ones first: UTF-32 begins like UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class RefusedError(KefuError):
    """A file that is left out as a whole."""


def refused(name: str, why: str, **more: str | None) -> RefusedError:
    """The refusal of a file; ``why`` completes the sentence."""
    return RefusedError(f"{name} is refused: {why}", **more)


@dataclass(frozen=True)
class Delivery:
    """A file as it lies there: what it is called, its bytes' fingerprint, when it was delivered."""

    name: str
    path: Path
    size: int
    sha256: str
    modified: float
    rows: int | None = None
    produced_at: str | None = None


def take_delivery(path: Path, name: str) -> Delivery:
    """Fingerprint a file and hold it to its manifest, if ``<file>.manifest.json`` is there. Raises RefusedError."""
    with refusing(name):
        status = path.stat()
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
        if status.st_size == 0:
            raise refused(
                name, "it is empty (0 bytes).", do="Have it delivered again; an export without rows has its header."
            )
    delivery = Delivery(name, path, status.st_size, digest.hexdigest(), status.st_mtime)
    manifest_path = path.with_name(path.name + ".manifest.json")
    if not manifest_path.exists():
        return delivery
    manifest = _read_manifest(manifest_path, name)
    stated = manifest.get("sha256")
    if stated is not None and str(stated).lower() != delivery.sha256:
        raise refused(
            name,
            "it is not the file its manifest speaks of.",
            expected=f"sha256 {stated}",
            found=f"sha256 {delivery.sha256}",
            where=str(manifest_path),
            do="It was changed or cut on the way, or is still being written; have it delivered again.",
        )
    rows = manifest.get("rows")
    if rows is not None and (isinstance(rows, bool) or not isinstance(rows, int)):
        raise refused(name, "its manifest's rows is no whole number.", found=repr(rows), where=str(manifest_path))
    produced = manifest.get("produced_at")
    return Delivery(
        name,
        path,
        delivery.size,
        delivery.sha256,
        delivery.modified,
        rows,
        str(produced) if produced is not None else None,
    )


def _read_manifest(path: Path, name: str) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as error:
        raise refused(name, "its manifest cannot be read.", found=str(error), where=str(path)) from None
    if not isinstance(manifest, dict):
        raise refused(name, "its manifest is not a JSON object.", where=str(path))
    return manifest


@contextmanager
def refusing(name: str) -> Iterator[None]:
    """Turns what can go wrong while a file is read into its refusal."""
    try:
        yield
    except RefusedError:
        raise
    except FileNotFoundError:
        raise refused(name, "it is gone.", do="It was taken away while Kefu was about to read it.") from None
    except PermissionError as error:
        raise refused(
            name, "it may not be read.", found=str(error), do="Give the user Kefu runs as leave to read it."
        ) from None
    except EOFError:
        raise refused(
            name,
            "it is cut off: the compressed data ends too early.",
            do="Have it delivered again, best under another name until it is complete.",
        ) from None
    except (gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise refused(
            name, "its compressed data is damaged.", found=str(error), do="Have it delivered again."
        ) from None
    except zipfile.BadZipFile as error:
        raise refused(
            name,
            "the workbook or archive is cut off or damaged.",
            found=str(error),
            do="Open and save it once more, or have it delivered again.",
        ) from None
    except OSError as error:
        raise refused(name, "it cannot be read.", found=str(error)) from None


def open_unpacked(path: Path, name: str) -> IO[bytes]:
    """The file's bytes, unpacked if it is gzip, bzip2, xz or a zip of one file. RefusedError, also while reading."""
    stream: IO[bytes] = path.open("rb")
    for _ in range(3):  # packed twice happens
        head = stream.read(8)
        stream.seek(0)
        packed = next((kind for magic, kind in _PACKED.items() if head.startswith(magic)), None)
        if packed == "gzip":
            stream = gzip.GzipFile(fileobj=stream, mode="rb")  # type: ignore[assignment]
        elif packed == "bzip2":
            stream = bz2.BZ2File(stream)
        elif packed == "xz":
            stream = lzma.LZMAFile(stream)  # noqa: SIM115 - whoever reads closes it
        elif head.startswith(b"PK\x03\x04") and not _is_workbook(stream, name):
            stream = _only_member(stream, name)
        else:
            break
        try:
            stream.read(1)
            stream.seek(0)
        except EOFError:
            raise refused(
                name, "it is cut off: the compressed data ends too early.", do="Have it delivered again."
            ) from None
    return stream


def _is_workbook(stream: IO[bytes], name: str) -> bool:
    try:
        with zipfile.ZipFile(stream) as archive:
            names = set(archive.namelist())
    finally:
        stream.seek(0)
    if "mimetype" in names and "content.xml" in names:
        raise refused(name, "it is an OpenDocument sheet, which is not read.", do="Save it as .xlsx or CSV.")
    if any(each.endswith(".bin") and each.startswith("xl/workbook") for each in names):
        raise refused(name, "it is a binary workbook (.xlsb), which is not read.", do="Save it as .xlsx or CSV.")
    return "[Content_Types].xml" in names


def _only_member(stream: IO[bytes], name: str) -> IO[bytes]:
    archive = zipfile.ZipFile(stream)
    members = [
        member for member in archive.infolist() if not member.is_dir() and not member.filename.startswith("__MACOSX")
    ]
    if len(members) != 1:
        listed = ", ".join(member.filename for member in members[:5]) or "none"
        raise refused(
            name,
            "an archive must hold exactly one file.",
            found=f"{len(members)}: {listed}",
            do="Unpack it into the folder.",
        )
    if members[0].flag_bits & 1:
        raise refused(name, "the archive is locked with a password.", do="Deliver it unlocked.")
    return archive.open(members[0])


def seekable(stream: IO[bytes]) -> IO[bytes]:
    """The same bytes in a form that can be read from any place, unpacked to a temporary file if needed."""
    if isinstance(stream, io.BufferedReader) and not isinstance(stream.raw, zipfile.ZipExtFile):
        return stream
    copy: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the reader
    while block := stream.read(BLOCK):
        copy.write(block)
    copy.seek(0)
    return copy


def detect_format(stream: IO[bytes], name: str) -> Format:
    """What the bytes are, by their beginning. Raises RefusedError for formats that are not read."""
    head = stream.read(4096)
    stream.seek(0)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        return "xlsx"
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise refused(
            name,
            "it is an old Excel workbook (.xls) or one with a password.",
            do="Save it as .xlsx without a password, or as CSV.",
        )
    if head.startswith(b"%PDF"):
        raise refused(name, "it is a PDF.", do="Export a table: CSV, XLSX, JSON or Parquet.")
    mark = next((encoding for magic, encoding in _MARKS if head.startswith(magic)), "utf-8")
    beginning = head.decode(mark, "ignore").lstrip()
    if beginning.startswith("["):
        return "json"
    if beginning.startswith("{"):
        return "json_lines" if _is_record_a_line(beginning) else "json"
    if beginning[:14].lower().startswith(("<!doctype html", "<html")):
        raise refused(
            name, "it is a web page, perhaps the login page of the system it came from.", do="Export it again."
        )
    return "delimited"


def _is_record_a_line(beginning: str) -> bool:
    first, newline, _ = beginning.partition("\n")
    try:
        return isinstance(json.loads(first), dict)
    except ValueError:
        return not newline  # one very long line: most likely a record of many fields


@dataclass(frozen=True)
class Encoding:
    """How to decode, and whether the file says so itself (by its mark)."""

    name: str
    marked: bool


def detect_encoding(stream: IO[bytes], declared: str | None) -> Encoding:
    """The encoding: that of the file's mark, else the declared one, else UTF-8."""
    head = stream.read(4)
    stream.seek(0)
    marked = next((encoding for magic, encoding in _MARKS if head.startswith(magic)), None)
    if marked is not None:
        return Encoding(marked, True)
    if declared is None and head[:2].find(b"\x00") >= 0 and len(head) > 1:
        return Encoding("utf-16-be" if head[0] == 0 else "utf-16-le", False)
    return Encoding(declared or "utf-8", False)


def decoded(stream: IO[bytes], encoding: Encoding) -> io.TextIOWrapper:
    """The bytes as text, lines left as they are; strict: a byte that does not fit raises UnicodeDecodeError."""
    return io.TextIOWrapper(stream, encoding=encoding.name, errors="strict", newline="")


def explain_encoding(path: Path, name: str, encoding: Encoding, declared: str | None) -> RefusedError:
    """Where exactly a file stops being what its encoding says, and what it may be instead."""
    decoder = codecs.getincrementaldecoder(encoding.name)("strict")
    consumed, lines, kept = 0, 1, b""
    position, byte = 0, ""
    with open_unpacked(path, name) as stream:
        while True:
            block = stream.read(BLOCK)
            try:
                lines += decoder.decode(block, final=not block).count("\n")
            except UnicodeDecodeError as error:
                bad = bytes(error.object)
                position = consumed + len(block) - len(bad) + error.start
                lines += bad[: error.start].decode(encoding.name, "ignore").count("\n")
                byte, kept = bad[error.start : error.start + 1].hex(), bad[max(error.start - 20, 0) : error.start + 200]
                break
            consumed += len(block)
            if not block:
                break
    guesses = [
        other
        for other in ("utf-8", "gb18030", "cp1252")
        if codecs.lookup(other).name != codecs.lookup(encoding.name).name and _reads_all(path, name, other)
    ]
    told = "it says so itself with a mark at its beginning" if encoding.marked else (
        "the mapping says file.encoding" if declared else "the default"
    )  # fmt: skip
    return refused(
        name,
        f"it is not {encoding.name.upper()} ({told}).",
        found=f"byte 0x{byte} at position {position}, line {lines}: {kept.decode(encoding.name, 'replace')[:40]!r}",
        do=(
            f"Say file: {{encoding: ...}}; every byte would fit {' and '.join(guesses)}, check which one reads well."
            if guesses
            else "Find out which encoding it was exported in and say file: {encoding: ...}."
        ),
    )


def _reads_all(path: Path, name: str, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    with open_unpacked(path, name) as stream:
        try:
            while block := stream.read(BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def unchanged(delivery: Delivery) -> bool:
    """Whether the file is still the one that was fingerprinted."""
    try:
        status = delivery.path.stat()
    except OSError:
        return False
    return status.st_size == delivery.size and status.st_mtime == delivery.modified
