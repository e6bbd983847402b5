"""The JSON schema of a mapping, built from the entities, and its problems in plain words.

``mapping.schema.json`` beside this file is what is shipped and checked against (editors can use it too);
``python -m kefu.files.schema`` writes it anew after a change here.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from kefu.files.documents import Document, Where
from kefu.files.duplicates import COMBINING
from kefu.files.entities import ENTITIES
from kefu.files.formats import WORDS
from kefu.files.values import DURATION_FORMATS

SCHEMA_FILE = Path(__file__).with_name("mapping.schema.json")

Schema = dict[str, Any]


def _text(description: str, **more: Any) -> Schema:
    return {"type": "string", "minLength": 1, "description": description, **more}


def _choice(description: str, *words: str) -> Schema:
    return {"enum": list(words), "description": description}


def _yes_no(description: str) -> Schema:
    return {"type": "boolean", "description": description}


def _count(description: str, least: int = 0) -> Schema:
    return {"type": "integer", "minimum": least, "description": description}


def _texts(description: str) -> Schema:
    return {
        "type": ["string", "array"],
        "minItems": 1,
        "items": {"type": ["string", "number", "boolean"]},
        "description": description,
    }


def _markers(description: str) -> Schema:
    return {
        "type": ["string", "number", "array"],
        "items": {"type": ["string", "number", "boolean"]},
        "description": description,
    }


def _object(properties: Schema, description: str = "", **more: Any) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        **({"description": description} if description else {}),
        **more,
    }


_VALUE = {"type": ["string", "number", "boolean"]}
_REPEATED = _choice("The hour that clocks show twice in autumn.", "earlier", "later", "quarantine")
_SKIPPED = _choice("The hour that clocks skip in spring.", "shift", "quarantine")
_NOISE = {
    "type": ["string", "number"],
    "description": "How far clocks may disagree, e.g. 2s: less than this backwards is not the next day, nor negative.",
}


def _field_options() -> Schema:
    return {
        "column": _text("The column the value comes from."),
        "columns": _texts("Several columns, put together with `join`."),
        "join": {"type": "string", "description": "What stands between the values of `columns`; default '-'."},
        "skip_unknown": _yes_no("`columns`: leave unknown ones out; else one unknown makes the whole unknown."),
        "first_of": _texts("Several columns: the first that is known."),
        "constant": {**_VALUE, "description": "The same value in every row."},
        "expression": _text("A formula over columns and fields."),
        "date": _text("With `time`: the column (or = formula) of the day."),
        "time": _text("A wall-clock time: the column (or = formula) it is in."),
        "after": _text("With `time`: the field it comes after; an earlier clock time is on the next day."),
        "within": {
            "type": ["string", "number"],
            "description": "With `after`: at most this much later, e.g. 12h; else quarantine.",
        },
        "date_format": _texts("How `date` is written."),
        "time_format": _texts("How `time` is written, if not as h:mm or h:mm:ss."),
        "cases": {
            "type": "array",
            "minItems": 1,
            "description": "The first case whose `when` is true adds to or replaces the options beside it.",
            "items": {"$ref": "#/$defs/case"},
        },
        "when": _text("Only where this is true; elsewhere the value is unknown."),
        "unknown": _markers("More texts that mean unknown, in this field."),
        "default": {**_VALUE, "description": "Instead of an unknown value."},
        "extract": _text("Regular expression; its first group (or all it finds) is the value."),
        "lower": _yes_no("To lower case."),
        "upper": _yes_no("To upper case."),
        "map": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
            "description": "The file's words to ours; null means unknown.",
        },
        "otherwise": {**_VALUE, "description": "`map`: for any word it does not list."},
        "unmapped": _choice("`map`: a word it does not list.", "quarantine", "keep", "unknown"),
        "ignore_case": _yes_no("`map`: upper and lower case are the same."),
        "type": _choice(
            "How to read the value, where the field leaves a choice.",
            "text", "number", "integer", "boolean", "timestamp", "duration",
        ),
        "format": _texts(f"A date or duration format or several; words: {', '.join((*WORDS, *DURATION_FORMATS))}."),
        "ambiguous": {
            "type": ["string", "object"],
            "description": "Several formats fit and mean different days.",
            "if": {"type": "string"},
            "then": {"enum": ["quarantine", "first", "unknown"]},
            "else": _object(
                {
                    "closest_to": _text("The reading nearest to this field or column."),
                    "within": {"type": ["string", "number"], "description": "At most this far from it."},
                },
                required=["closest_to"],
            ),
        },
        "zone": _text("Time zone, if not that of the file."),
        "repeated_hour": _REPEATED,
        "skipped_hour": _SKIPPED,
        "decimal": _choice("Decimal mark.", ".", ","),
        "thousands": _text("Thousands separator: comma, point, space, apostrophe."),
        "true": _markers("Texts that mean yes."),
        "false": _markers("Texts that mean no."),
        "negative": _choice("A negative duration or count.", "quarantine", "zero", "unknown", "keep"),
        "clock_noise": _NOISE,
        "round": _choice("To whole seconds.", "nearest", "down", "up"),
        "min": {"type": "number", "description": "Anything less goes to quarantine."},
        "max": {"type": "number", "description": "Anything more goes to quarantine."},
        "required": _yes_no("Unknown is not allowed: such rows go to quarantine."),
        "combine": {
            "type": ["string", "array"],
            "description": "With duplicates: combine, what becomes of the values; a list: the first of its words.",
            "if": {"type": "string"},
            "then": {"enum": list(COMBINING)},
            "else": {"minItems": 1, "items": {"type": "string"}},
        },
        "on_error": _choice("A value that cannot be read.", "quarantine", "unknown"),
        "description": {"type": "string", "description": "For readers of the mapping."},
    }  # fmt: skip


_FIELD: Schema = {
    "type": ["string", "number", "boolean", "object"],
    "description": "A column's name, '= formula', a number or true/false as constant, or options.",
    "if": {"type": "object"},
    "then": {"$ref": "#/$defs/field"},
}
_FILTERS: Schema = {
    "type": "array",
    "description": "Rows to leave out, counted as filtered under the filter's name.",
    "items": _object(
        {
            "name": _text("Why such rows are left out."),
            "drop": _text("Leave out the rows where this is true."),
            "keep": _text("Leave out the rows where this is not true."),
        },
        minProperties=1,
    ),
}
_DUPLICATES: Schema = {
    "type": ["string", "object"],
    "description": "Rows of one file with the same key and different values.",
    "if": {"type": "string"},
    "then": {"enum": ["quarantine", "first", "last", "number", "combine"]},
    "else": _object(
        {
            "keep": _choice("What stays.", "first", "last", "combine"),
            "by": _text("The field that orders them; else their order in the file."),
        },
        required=["keep"],
    ),
}


_NOT_IN_A_CASE = ("cases", "default", "required", "combine", "on_error", "description")


def build_schema() -> Schema:
    """The schema as it follows from the entities and the options above."""
    options = _field_options()
    blocks: Schema = {}
    definitions: Schema = {
        "field": _object(options),
        "case": _object(
            {name: option for name, option in options.items() if name not in _NOT_IN_A_CASE}, required=["when"]
        ),
        "let": _FIELD,
    }
    for entity in ENTITIES.values():
        definitions[entity.name] = _object(
            {
                "name": _text("A name for this part, where an entity is filled twice from one file."),
                "description": {"type": "string"},
                "each": _text("JSON: one row per element of the list at this path."),
                "filters": _FILTERS,
                "duplicates": _DUPLICATES,
                "fields": _object(
                    {name: {**_FIELD, "description": field.description} for name, field in entity.fields.items()},
                    minProperties=1,
                ),
            },
            entity.description,
            required=["fields"],
        )
        blocks[entity.name] = {
            "type": ["object", "array"],
            "if": {"type": "object"},
            "then": {"$ref": f"#/$defs/{entity.name}"},
            "else": {"minItems": 1, "items": {"$ref": f"#/$defs/{entity.name}"}},
        }
    file = _object(
        {
            "format": _choice(
                "What the file is; auto looks at its content.",
                "auto", "delimited", "xlsx", "json", "json_lines", "parquet",
            ),
            "delimiter": _text("comma, semicolon, tab, pipe, space, any one character, or auto."),
            "quote": {"type": "string", "description": "The quotation mark; none if quotes mean nothing."},
            "escape": _text("A character that takes the next one literally, such as \\."),
            "comment": _text("Lines that begin with this are no rows."),
            "encoding": _text("The encoding, if not UTF-8 (or UTF-16 with its mark), for example gb18030."),
            "header": _yes_no("Whether the first line has the names of the columns."),
            "columns": _texts("The names of the columns, in order, where the file has none or bad ones."),
            "skip_lines": _count("Lines before the header."),
            "skip_rows": _count("Rows after the header that are no data."),
            "footer_rows": _count("Rows at the end that are no data."),
            "sheet": {"type": ["string", "integer"], "description": "The sheet of a workbook: its name or number."},
            "records": _text("JSON: the path of the list of records, such as data.items."),
            "trim": _yes_no("Whether spaces around a value are taken off (they are, unless false)."),
            "unknown": _markers("Texts that mean unknown, in every column; an empty cell always does."),
            "optional": _texts("Columns that may be missing; they are unknown then."),
            "short_rows": _choice("A row with too few fields.", "quarantine", "fill"),
            "long_rows": _choice("A row with too many fields.", "quarantine", "cut"),
            "order": _choice("Which of several files counts as later.", "name", "modified"),
            "when_missing": _choice("No file is there.", "refuse", "ignore"),
        },
        "How to read the file.",
    )  # fmt: skip
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Kefu mapping",
        "description": "Says how a file becomes calls, tickets, ticket events, survey invitations and responses.",
        **_object(
            {
                "description": {"type": "string", "description": "What the file is."},
                "path": _texts("The files: a path, with * and ** where wanted; relative to kefu.toml."),
                "file": file,
                "time": _object(
                    {
                        "zone": _text("The time zone of the file's clock times (IANA), for example Asia/Shanghai."),
                        "format": _texts("How dates are written, where a field does not say."),
                        "repeated_hour": _REPEATED,
                        "skipped_hour": _SKIPPED,
                        "clock_noise": _NOISE,
                    },
                    "Dates and times of the file.",
                ),
                "numbers": _object(
                    {
                        "decimal": _choice("Decimal mark.", ".", ","),
                        "thousands": _text("Thousands separator: comma, point, space, apostrophe."),
                    },
                    "Numbers of the file.",
                ),
                "let": {
                    "type": "object",
                    "propertyNames": {"pattern": r"^[^\W\d]\w*$"},
                    "additionalProperties": _FIELD,
                    "description": "Named values to use in formulas.",
                },
                "filters": _FILTERS,
                "entities": _object(blocks, "What becomes of each row.", minProperties=1),
            },
            required=["entities"],
        ),
        "$defs": definitions,
    }


@cache
def schema() -> Schema:
    """The shipped schema."""
    shipped: Schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return shipped


Complaint = tuple[Where, str]


def complaints(document: Document) -> list[Complaint]:
    """Every place where a mapping does not follow the schema, in the order of the file."""
    from jsonschema import Draft202012Validator

    found = [
        complaint
        for error in Draft202012Validator(schema()).iter_errors(document.content)
        for complaint in _plainly(error)
    ]
    return sorted(set(found), key=lambda complaint: (document.line(complaint[0]) or 0, complaint[1]))


def _plainly(error: Any) -> Iterator[Complaint]:
    where: Where = tuple(error.absolute_path)
    rule, expected, found = error.validator, error.validator_value, error.instance
    if rule == "additionalProperties" and isinstance(found, dict):
        known = list(error.schema.get("properties", {}))
        for key in found:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, 1, 0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
                if ")" in key:
                    hint = "inside { } a formula with a comma needs quotes around it"
                yield (*where, key), f"there is no key {key!r} here; {hint}"
    elif rule == "required":
        missing = [key for key in expected if key not in found]
        yield where, f"{' and '.join(repr(key) for key in missing)} is missing"
    elif rule == "enum":
        choices = [str(word) for word in expected]
        near = difflib.get_close_matches(str(found), choices, 1, 0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        yield where, f"expected one of {', '.join(choices)}, found {found!r}{hint}"
    elif rule == "type":
        names = {"object": "a group of keys", "array": "a list", "string": "text", "integer": "a whole number",
                 "number": "a number", "boolean": "true or false", "null": "nothing"}  # fmt: skip
        wanted = [expected] if isinstance(expected, str) else expected
        shown = "nothing" if found is None else repr(found)
        if len(shown) > 80:
            shown = shown[:79] + "…"
        yield where, f"expected {' or '.join(names[word] for word in wanted)}, found {shown}"
    elif rule == "pattern":
        yield where, f"{found!r} is no name: letters, digits and _ only"
    elif rule in ("minLength", "minItems", "minProperties"):
        yield where, "it is empty"
    elif rule == "minimum":
        yield where, f"expected at least {expected}, found {found!r}"
    else:
        yield where, error.message


def main() -> None:
    """Write the shipped schema."""
    SCHEMA_FILE.write_text(json.dumps(build_schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
