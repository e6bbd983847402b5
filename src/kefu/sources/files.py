"""Files: exports of any shape, by a mapping that says what each row means (docs/add-a-source.md).

Lands in ``raw_<source>``: calls, tickets, ticket_events, survey_invitations, survey_responses, agents, agent_states,
shifts, evaluations, evaluation_answers, feedback, merged on their keys; with ``_file`` and ``_line`` every row says
where it came from. ``files`` accounts for every row of every file, ``file_reasons`` says why rows were left out,
``quarantine`` holds those that could not be read.

A file that has not changed is not read again; one delivered again under its name replaces its rows; one that
cannot be read as a whole is refused, leaves what it brought before and makes the run fail when all others are in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from kefu.errors import KefuError
from kefu.files.accounts import FILE_REASONS, FILES, refusal_page
from kefu.files.delivery import Conversion
from kefu.files.entities import ENTITIES
from kefu.files.mapping import FileMapping, load_mapping
from kefu.files.opening import Delivery, RefusedError, take_delivery
from kefu.files.plan import Entry, Found, check_names, find_files, uncovered
from kefu.settings import project_root
from kefu.sources import Extraction, Kind, Page

REJECTS_AT_ONCE = 5_000


class Options(BaseModel):
    """Settings in ``[sources.<name>]`` with ``kind = "files"``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mapping: str | list[str] = Field(
        min_length=1, description="The mapping file (or several, for files of several shapes), from kefu.toml on."
    )
    path: str | list[str] | None = Field(
        None, description="Where the files are, with * and **; instead of what the mapping says."
    )


@dataclass(frozen=True)
class _Task:
    """A file to read. ``number`` is kept when only its mapping changed."""

    file: Found
    delivery: Delivery
    number: int | None
    is_replacement: bool


def extract(extraction: Extraction) -> Iterator[Page]:
    """Every file that is new, changed, or read by a mapping that changed."""
    known = {name: Entry.of(state) for name, state in extraction.state.setdefault("files", {}).items()}
    files = _find(extraction)
    broken: set[str] = set()
    tasks = []
    for file in files:
        try:
            task = _task(file, known.get(file.name), extraction)
        except RefusedError as error:
            yield _refuse(extraction, file, error, broken)
            continue
        if task:
            tasks.append(task)
    yield from _take_all(extraction, files, known, tasks, broken)
    for name in sorted(set(extraction.state.get("refused", [])) - broken):
        extraction.supersede(FILES.name, file=name, entity="")
    extraction.state["refused"] = sorted(broken)


def check(extraction: Extraction) -> str:
    """Validate the mappings and look for the files; says how many there are."""
    files = _find(extraction)
    if not files:
        return "the mapping is valid; there are no files yet"
    return f"the mapping is valid; {len(files)} file{'s' if len(files) > 1 else ''}, the last is {files[-1].name}"


def _mappings(extraction: Extraction) -> list[FileMapping]:
    said = extraction.options.mapping
    paths = [said] if isinstance(said, str) else said
    if extraction.options.path is not None and len(paths) > 1:
        raise KefuError(
            f"{extraction.name}: `path` in kefu.toml cannot be the place of several mappings.",
            do="Say path in each mapping instead.",
        )
    return [load_mapping(extraction.base / path, project_root()) for path in paths]


def _find(extraction: Extraction) -> list[Found]:
    said = extraction.options.path
    override = () if said is None else (said,) if isinstance(said, str) else tuple(said)
    files: list[Found] = []
    for mapping in _mappings(extraction):
        found = find_files(extraction.base, mapping, override)
        seen_before = bool(extraction.state.get("files"))
        if not found and not seen_before and mapping.file.when_missing == "refuse":
            raise KefuError(
                f"{extraction.name}: there are no files.",
                expected=f"files {', '.join(override or mapping.paths)} (from {extraction.base} on)",
                where=str(mapping.path),
                do="Correct the path, or say file: {when_missing: ignore} if they come later.",
            )
        files += found
    check_names(files)
    return files


def _task(file: Found, entry: Entry | None, extraction: Extraction) -> _Task | None:
    """What there is to do about a file; None if it is loaded as it is. Raises RefusedError."""
    if entry and not extraction.full:
        status = file.path.stat()
        untouched = (status.st_size, status.st_mtime) == (entry.size, entry.modified)
        if untouched and entry.mapping == file.mapping.digest:
            return None
    delivery = take_delivery(file.path, file.name)
    if entry is None or extraction.full:
        return _Task(file, delivery, None, False)
    if delivery.sha256 != entry.sha256:
        return _Task(file, delivery, None, True)
    if entry.mapping != file.mapping.digest:
        return _Task(file, delivery, entry.number, False)
    touched = Entry(entry.sha256, delivery.size, delivery.modified, entry.mapping, entry.number, entry.ranges)
    extraction.state["files"][file.name] = touched.state()
    return None


def _take_all(
    extraction: Extraction, files: list[Found], known: dict[str, Entry], tasks: list[_Task], broken: set[str]
) -> Iterator[Page]:
    """Read and yield in the order of deliveries: what was delivered last is yielded last and stays."""
    with ExitStack() as stack:
        # A replacement is read first, to its end: only if it can be taken, files it used to cover are read again.
        replacements: dict[str, Conversion] = {}
        for task in tasks:
            if task.is_replacement:
                conversion = stack.enter_context(Conversion(task.delivery, task.file.mapping))
                try:
                    conversion.read()
                    replacements[task.file.name] = conversion
                except RefusedError as error:
                    yield _refuse(extraction, task.file, error, broken)
        old = {task.file.name: task for task in tasks if task.number is not None}
        by_name = {file.name: file for file in files}
        for name in uncovered(known, replacements, old):
            if name not in by_name or name in broken:
                # What it brought may be covered and cannot be had now: read it as soon as it can be read again.
                extraction.state["files"][name]["mapping"] = ""
            elif name not in old:
                file, entry = by_name[name], Entry.of(extraction.state["files"][name])  # as it lies there now
                old[name] = _Task(
                    file, Delivery(name, file.path, entry.size, entry.sha256, entry.modified), entry.number, False
                )
        new = [task for task in tasks if task.number is None]
        for task in [*sorted(old.values(), key=lambda task: task.number or 0), *new]:
            name = task.file.name
            if name in replacements:
                yield from _yield(extraction, task, replacements[name])
            elif not task.is_replacement:
                with Conversion(task.delivery, task.file.mapping) as conversion:
                    try:
                        conversion.read()
                    except RefusedError as error:
                        yield _refuse(extraction, task.file, error, broken)
                        continue
                    yield from _yield(extraction, task, conversion)


def _yield(extraction: Extraction, task: _Task, conversion: Conversion) -> Iterator[Page]:
    """The rows of a file in place of those it brought before, its rejects, its accounts; then it is remembered."""
    name, state = task.file.name, extraction.state
    if name in state["files"] or extraction.full or state.get("reading") == name:
        for entity in ENTITIES:
            extraction.supersede(entity, _file=name)
        for table in (FILES.name, FILE_REASONS.name, "quarantine"):
            extraction.supersede(table, file=name)
    elif name in state.get("refused", []):
        extraction.supersede(FILES.name, file=name)
    state["reading"] = name  # a long file may be saved in parts; a run that dies in between starts it anew
    yield from _with_rejects(extraction, conversion)
    number = task.number
    if number is None:
        number = state["deliveries"] = state.get("deliveries", 0) + 1
    delivery = conversion.delivery
    state["files"][name] = Entry(
        delivery.sha256, delivery.size, delivery.modified, task.file.mapping.digest, number, conversion.ranges
    ).state()
    del state["reading"]
    extraction.progress(f"{extraction.name}: {summary(conversion)}")


def _with_rejects(extraction: Extraction, conversion: Conversion) -> Iterator[Page]:
    """The pages, with the rejects between them in lots, so that neither side has to hold them all."""
    waiting = 0
    nothing = ENTITIES[conversion.mapping.entities[0]].table()
    for rejected in conversion.rejects():
        extraction.reject(rejected)
        waiting += 1
        if waiting == REJECTS_AT_ONCE:
            yield nothing.name, nothing.schema().empty_table()
            waiting = 0
    yield from conversion.pages()


def _refuse(extraction: Extraction, file: Found, error: RefusedError, broken: set[str]) -> Page:
    broken.add(file.name)
    extraction.refuse(error)
    extraction.progress(f"{extraction.name}: {error.summary}")
    return refusal_page(file.name, str(error), None, file.mapping.path.name)


def summary(conversion: Conversion) -> str:
    """One line on what became of a file."""
    told = []
    for account in conversion.accounts:
        what = f"{account.entity} ({account.part})" if account.part else account.entity
        counts = [f"{account.loaded:,} {what}"]
        counts += [
            f"{rows:,} {word}"
            for word, rows in (
                ("filtered", account.filtered),
                ("quarantined", account.quarantined),
                ("merged", account.merged),
            )
            if rows
        ]
        told.append(", ".join(counts))
    return f"{conversion.delivery.name}: {'; '.join(told)}"


KIND = Kind(
    name="files",
    channel="files",
    title="Files (CSV, TSV, XLSX, JSON, Parquet)",
    options=Options,
    tables=(*(entity.table() for entity in ENTITIES.values()), FILES, FILE_REASONS),
    extract=extract,
    check=check,
)
