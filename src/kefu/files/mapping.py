"""A mapping: read, validated as a whole, compiled. Every problem of the file is in one message, with its line."""

from __future__ import annotations

import codecs
import difflib
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from kefu.errors import KefuError
from kefu.files.cells import as_text
from kefu.files.conversions import Target
from kefu.files.documents import Document, Where, read_document
from kefu.files.duplicates import Duplicates, Rule
from kefu.files.entities import ENTITIES, Entity, scales
from kefu.files.fields import Value, compile_value, normal_options
from kefu.files.formats import compile_format
from kefu.files.frames import Frame
from kefu.files.schema import complaints
from kefu.files.scopes import Defaults, Scope, check_marks, length, texts

LANGUAGE_VERSION = "1"  # goes up when the same mapping would give other rows: every file is then read again

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " ", "\\t": "\t"}


@dataclass(frozen=True)
class FileOptions:
    """How to read the file; see docs/add-a-source.md for each."""

    format: str = "auto"
    delimiter: str = "auto"
    quote: str = '"'
    escape: str | None = None
    comment: str | None = None
    encoding: str | None = None
    header: bool = True
    columns: tuple[str, ...] = ()
    skip_lines: int = 0
    skip_rows: int = 0
    footer_rows: int = 0
    sheet: str | int | None = None
    records: str | None = None
    trim: bool = True
    unknown: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    short_rows: str = "quarantine"
    long_rows: str = "quarantine"
    order: str = "name"
    when_missing: str = "refuse"


@dataclass(frozen=True)
class Filter:
    """Rows for which ``drops`` is true are left out and counted under ``name``."""

    name: str
    drops: Value


@dataclass(frozen=True)
class Block:
    """What becomes of each row in one entity. ``part`` tells two blocks of one entity apart."""

    entity: Entity
    part: str
    each: str | None
    filters: tuple[Filter, ...]
    duplicates: Duplicates
    values: Mapping[str, Value]

    @property
    def name(self) -> str:
        """The entity, with the part where there are several."""
        return f"{self.entity.name} ({self.part})" if self.part else self.entity.name


@dataclass(frozen=True)
class FileMapping:
    """A validated mapping. ``digest`` changes with its meaning, not with its comments."""

    path: Path
    digest: str
    paths: tuple[str, ...]
    file: FileOptions
    lets: Mapping[str, Value]
    filters: tuple[Filter, ...]
    blocks: tuple[Block, ...]
    columns: frozenset[str]
    scales: Mapping[str, frozenset[str]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def entities(self) -> tuple[str, ...]:
        """The entities it fills, in their order."""
        return tuple(dict.fromkeys(block.entity.name for block in self.blocks))

    def frame(
        self, size: int, raw: Callable[[str], list[Any]], block: Block, lines: Any, numbers: Any, name: str
    ) -> Frame:
        """A frame of this mapping for one of its blocks."""
        return Frame(size, raw, block.values, self.lets, lines, numbers, name)


def load_mapping(path: Path, project: Path | None = None) -> FileMapping:
    """Read and compile a mapping. Raises KefuError with all its problems.

    ``project`` is the checkout whose seed dim_scale lists the scales; without it scales are not checked.
    """
    document = read_document(path)
    return _Builder(document, scales(project) if project else {}).build()


class _Builder:
    def __init__(self, document: Document, known_scales: Mapping[str, frozenset[str]]) -> None:
        self.document = document
        self.content: Any = document.content
        self.scales = known_scales
        self.problems: list[tuple[Where, str]] = []
        self.remarks: list[str] = []

    def build(self) -> FileMapping:
        if not isinstance(self.content, dict):
            self.problems.append(((), "expected keys such as 'path', 'time' and 'entities'"))
            raise self._error()
        self.problems += complaints(self.document)
        if self.problems:
            raise self._error()
        file = self._file()
        defaults = self._defaults()
        lets = self._lets(defaults)
        filters = self._filters(self.content.get("filters", []), ("filters",), defaults, frozenset(), frozenset(lets))
        blocks = self._blocks(defaults, lets)
        if self.problems:
            raise self._error()
        columns = frozenset(self._columns(lets, filters, blocks))
        canonical = json.dumps([LANGUAGE_VERSION, self.content], sort_keys=True, ensure_ascii=False)
        return FileMapping(
            path=self.document.path,
            digest=hashlib.sha256(canonical.encode()).hexdigest()[:16],
            paths=texts(self.content.get("path")),
            file=file,
            lets=lets,
            filters=filters,
            blocks=tuple(blocks),
            columns=columns,
            scales=self.scales,
            remarks=tuple(dict.fromkeys(self.remarks)),
        )

    def _error(self) -> KefuError:
        lines = []
        for where, said in sorted(self.problems, key=lambda problem: self.document.line(problem[0]) or 0):
            line = self.document.line(where)
            name = _dotted(where)
            for each in said.splitlines():
                lines.append(f"  - line {line}, {name}: {each}" if name else f"  - {each}")
        count = len(lines)
        return KefuError(
            f"The mapping {self.document.path.name} has {count} problem{'s' if count > 1 else ''}:\n"
            + "\n".join(lines),
            where=str(self.document.path),
            do="docs/add-a-source.md explains every key; `kefu check-mapping` tries a mapping on a file.",
        )

    # --- the file, its times and numbers ---

    def _file(self) -> FileOptions:
        said: dict[str, Any] = dict(self.content.get("file") or {})
        where = ("file",)
        if "delimiter" in said:
            delimiter = DELIMITERS.get(said["delimiter"], said["delimiter"])
            if delimiter != "auto" and len(delimiter) != 1:
                self.problems.append(
                    (
                        (*where, "delimiter"),
                        f"{delimiter!r} is neither one character nor one of {', '.join(DELIMITERS)}",
                    )
                )
            said["delimiter"] = delimiter
        if "quote" in said:
            said["quote"] = "" if said["quote"] in ("none", "") else said["quote"]
        for option in ("quote", "escape"):
            if len(said.get(option) or "x") != 1:
                self.problems.append(((*where, option), f"{said[option]!r} is not one character"))
        if encoding := said.get("encoding"):
            try:
                codecs.lookup(encoding)
            except LookupError:
                self.problems.append(
                    (
                        (*where, "encoding"),
                        f"{encoding!r} is no encoding; some are utf-8, utf-16, gb18030, cp1252, latin-1",
                    )
                )
        for option in ("columns",):
            said[option] = texts(said.get(option))
        if len(set(said["columns"])) < len(said["columns"]):
            self.problems.append(((*where, "columns"), "a name occurs twice"))
        for option in ("unknown", "optional"):
            said[option] = frozenset(texts(said.get(option)))
        if said.get("header") is False and said.get("skip_rows"):
            self.problems.append(((*where, "skip_rows"), "without a header, say skip_lines"))
        return FileOptions(**said)

    def _defaults(self) -> Defaults:
        time: dict[str, Any] = self.content.get("time") or {}
        numbers: dict[str, Any] = self.content.get("numbers") or {}
        for form in texts(time.get("format")):
            self._attempt(("time", "format"), compile_format, form)
        zone = time.get("zone")
        if zone is not None and not self._check_zone(zone, ("time", "zone")):
            zone = "UTC"  # one complaint is enough
        noise = self._attempt(("time", "clock_noise"), length, time.get("clock_noise", 2))
        decimal, thousands = numbers.get("decimal", "."), numbers.get("thousands")
        self._attempt(("numbers", "thousands"), check_marks, decimal, thousands)
        return Defaults(
            zone=zone,
            repeated_hour=time.get("repeated_hour", "quarantine"),
            skipped_hour=time.get("skipped_hour", "quarantine"),
            formats=texts(time.get("format")),
            clock_noise=noise or timedelta(0),
            decimal=decimal,
            thousands=thousands,
        )

    def _attempt(self, where: Where, build: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return build(*arguments)
        except ValueError as error:
            self.problems.append((where, str(error)))
            return None

    def _check_zone(self, zone: str, where: Where) -> bool:
        if zone in _zones():
            return True
        near = difflib.get_close_matches(zone, sorted(_zones()), 1)
        hint = f"; did you mean {near[0]}?" if near else "; they look like Asia/Shanghai"
        self.problems.append((where, f"{zone!r} is no IANA time zone{hint}"))
        return False

    # --- named values, filters, blocks ---

    def _lets(self, defaults: Defaults) -> dict[str, Value]:
        said: dict[str, Any] = self.content.get("let") or {}
        lets: dict[str, Value] = {}
        for name, value in said.items():
            if isinstance(value, str) and not value.startswith("="):
                value = {"expression": value}  # a named value is a formula unless it says otherwise
            scope = Scope(name, defaults, lets=frozenset(said))
            self._compile(("let", name), lets, value, Target(name), scope)
        self._check_circles({name: value.lets for name, value in lets.items()}, ("let",))
        return lets

    def _compile(
        self,
        where: Where,
        into: dict[str, Value],
        value: Any,
        target: Target,
        scope: Scope,
        *,
        required: bool = False,
    ) -> None:
        self._check_zones(value, where)
        try:
            into[target.name] = compile_value(value, target, scope, required=required)
        except ValueError as error:
            self.problems.append((where, str(error)))

    def _check_zones(self, value: Any, where: Where) -> None:
        for options in [value, *value.get("cases", [])] if isinstance(value, dict) else []:
            zone = options.get("zone")
            if zone is not None and not self._check_zone(zone, (*where, "zone")):
                options["zone"] = "UTC"  # one complaint is enough

    def _check_circles(self, reads: Mapping[str, Iterable[str]], where: Where) -> None:
        """Values that need each other can never be computed."""
        done: set[str] = set()

        def follow(name: str, way: list[str]) -> list[str] | None:
            if name in way:
                return [*way[way.index(name) :], name]
            if name in done or name not in reads:
                return None
            for other in sorted(reads[name]):
                if circle := follow(other, [*way, name]):
                    return circle
            done.add(name)
            return None

        for name in reads:
            if circle := follow(name, []):
                self.problems.append(((*where, circle[0]), f"goes in a circle: {' → '.join(circle)}"))
                return

    def _filters(
        self, said: list[dict[str, Any]], where: Where, defaults: Defaults, fields: frozenset[str], lets: frozenset[str]
    ) -> tuple[Filter, ...]:
        filters: dict[str, Value] = {}
        for index, each in enumerate(said):
            here: Where = (*where, index)
            if ("drop" in each) == ("keep" in each):
                self.problems.append((here, "say either drop or keep, with a formula"))
                continue
            kind = "drop" if "drop" in each else "keep"
            formula = each[kind].removeprefix("=").strip()
            name = each.get("name") or f"{kind} {formula}"
            if name in filters:
                self.problems.append((here, f"two filters have the name {name!r}"))
            text = f"if({formula}, true, false)" if kind == "drop" else f"if({formula}, false, true)"
            scope = Scope("", defaults, fields, lets)
            try:
                scope.expression(formula)  # its mistakes are told in its own words
            except ValueError as error:
                self.problems.append(((*here, kind), str(error)))
                continue
            self._compile(here, filters, {"expression": text}, Target(name), scope)
        return tuple(Filter(name, value) for name, value in filters.items())

    def _blocks(self, defaults: Defaults, lets: Mapping[str, Value]) -> list[Block]:
        blocks: list[Block] = []
        for entity_name, said in self.content["entities"].items():
            where: Where = ("entities", entity_name)
            parts = said if isinstance(said, list) else [said]
            same = []
            for index, part in enumerate(parts):
                here = (*where, index) if isinstance(said, list) else where
                standard = str(index + 1) if len(parts) > 1 else ""
                same.append(self._block(ENTITIES[entity_name], part, here, defaults, lets, standard))
            if len({block.part for block in same}) < len(same):
                self.problems.append((where, "two parts have the same name"))
            if any(block.duplicates != same[0].duplicates for block in same):
                self.problems.append((where, "the parts say different things about duplicates"))
            blocks += same
        return blocks

    def _block(
        self,
        entity: Entity,
        said: dict[str, Any],
        where: Where,
        defaults: Defaults,
        lets: Mapping[str, Value],
        standard_name: str,
    ) -> Block:
        fields: dict[str, Any] = dict(said["fields"])
        for spec in entity.fields.values():
            if spec.name not in fields and spec.assumed is not None:
                fields[spec.name] = {"constant": spec.assumed}
        here: Where = (*where, "fields")
        for name, spec in entity.fields.items():
            if spec.required and name not in fields:
                self.problems.append((here, f"{name!r} must be mapped: {spec.description}"))
        values: dict[str, Value] = {}
        for name, value in fields.items():
            spec = entity.fields[name]
            target = Target(name, spec.kind, spec.words, spec.may_be_negative)
            scope = Scope(name, defaults, frozenset(fields), frozenset(lets))
            self._compile((*here, name), values, value, target, scope, required=spec.required)
        self._check_circles({name: value.fields for name, value in values.items()}, here)
        if entity.name == "survey_responses":
            self._check_scale(fields, where)
        self._remark_on_names(values, entity)
        duplicates = self._duplicates(entity, said.get("duplicates", "quarantine"), fields, where)
        return Block(
            entity=entity,
            part=said.get("name") or standard_name,
            each=said.get("each"),
            filters=self._filters(
                said.get("filters", []), (*where, "filters"), defaults, frozenset(fields), frozenset(lets)
            ),
            duplicates=duplicates,
            values=values,
        )

    def _duplicates(self, entity: Entity, said: Any, fields: dict[str, Any], where: Where) -> Duplicates:
        options = said if isinstance(said, dict) else {"keep": said}
        policy, by = options["keep"], options.get("by")
        if by is not None and by not in fields:
            self.problems.append(((*where, "duplicates"), f"by: {by!r} is not mapped here"))
        combine: dict[str, Rule] = {}
        for name, value in fields.items():
            rule = value.get("combine") if isinstance(value, dict) else None
            if rule is None:
                continue
            here: Where = (*where, "fields", name, "combine")
            kind = entity.fields[name].kind
            if policy != "combine":
                self.problems.append((here, "'combine' goes with duplicates: combine"))
            if name in entity.key:
                self.problems.append((here, f"{name} is the key: it is the same in all the rows"))
            if (rule in ("sum", "further_rows") and kind not in _COUNTABLE) or (rule == "join" and kind != "text"):
                self.problems.append((here, f"{rule!r} makes no sense for {name}"))
            if isinstance(rule, list):
                rule = tuple(rule)
                for word in rule:
                    if entity.fields[name].words and word not in entity.fields[name].words:
                        self.problems.append((here, f"{word!r} is none of {' | '.join(entity.fields[name].words)}"))
            combine[name] = rule
        return Duplicates(policy, by, combine)

    def _check_scale(self, fields: dict[str, Any], where: Where) -> None:
        here: Where = (*where, "fields")
        scale = normal_options(fields["scale"]).get("constant") if "scale" in fields else None
        metric = normal_options(fields.get("metric", "")).get("constant")
        if scale is not None and self.scales and scale not in self.scales:
            near = difflib.get_close_matches(as_text(scale), list(self.scales), 1, 0.4)
            hint = f"; did you mean {near[0]}?" if near else ""
            self.problems.append(
                ((*here, "scale"), f"there is no scale {scale!r}; known are {', '.join(sorted(self.scales))}{hint}")
            )
        if metric in ("csat", "nps", "ces", "fcr"):
            for name in ("scale", "value"):
                if name not in fields:
                    self.problems.append((here, f"a {metric} answer needs {name}: {_NEEDED[name]}"))

    def _remark_on_names(self, values: Mapping[str, Value], entity: Entity) -> None:
        read = {column for value in values.values() for column in value.columns}
        for value in values.values():
            for name in sorted(value.fields & read - {value.name}):
                self.remarks.append(
                    f"{entity.name}.{value.name}: {name!r} is the mapped field there, not the column of the same name"
                    f" (write column('{name}') for the column)"
                )

    @staticmethod
    def _columns(lets: Mapping[str, Value], filters: tuple[Filter, ...], blocks: list[Block]) -> Iterable[str]:
        for value in lets.values():
            yield from value.columns
        for each in filters:
            yield from each.drops.columns
        for block in blocks:
            for each in block.filters:
                yield from each.drops.columns
            for value in block.values.values():
                yield from value.columns


_COUNTABLE = ("integer", "seconds", "number")
_NEEDED = {
    "scale": "the scale of dim_scale it is on, for example five_point or eleven_point",
    "value": "the answer as a number on that scale",
}


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _dotted(where: Where) -> str:
    text = ""
    for part in where:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text
