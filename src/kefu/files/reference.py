"""The reference tables of docs/add-a-source.md, from the code they describe.

``python -m kefu.files.reference`` writes them into the page, between their marks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kefu.files.cells import as_number
from kefu.files.entities import ENTITIES, Entity, Field
from kefu.files.functions import FUNCTIONS, Function, file_functions
from kefu.files.operators import Operators
from kefu.settings import project_root

PAGE = Path("docs") / "add-a-source.md"
_KINDS = {
    "seconds": "duration", "timestamp": "moment", "integer": "whole number", "boolean": "yes or no",
}  # fmt: skip


def entity_tables() -> str:
    """Every entity with its fields."""
    return "\n\n".join("\n".join(_entity(entity)) for entity in ENTITIES.values())


def _entity(entity: Entity) -> Iterator[str]:
    yield f"**`{entity.name}`**: {entity.description[0].lower()}{entity.description[1:]} Key: {', '.join(entity.key)}."
    yield ""
    yield "| field | type | |"
    yield "|---|---|---|"
    for field in entity.fields.values():
        name = f"**`{field.name}`**" if field.required else f"`{field.name}`"
        yield f"| {name} | {_KINDS.get(field.kind, field.kind)} | {' '.join(_remarks(field))} |"


def _remarks(field: Field) -> Iterator[str]:
    yield field.description
    if field.words:
        yield f"One of {', '.join(field.words)}."
    if field.assumed is not None:
        assumed = str(field.assumed).lower() if isinstance(field.assumed, bool) else field.assumed
        yield f"If not mapped: {assumed}."


def function_table() -> str:
    """Every function of formulas."""
    lines = ["| function | gives |", "|---|---|"]
    lines += [f"| `{function.usage}` | {function.meaning} |" for function in functions()]
    return "\n".join(lines)


def functions() -> list[Function]:
    """Every function, those that depend on the file too."""
    return [*FUNCTIONS.values(), *file_functions(None, Operators(as_number)).values()]


def filled(page: str) -> str:
    """The page with its tables up to date."""
    for mark, table in (("entities", entity_tables()), ("functions", function_table())):
        start, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
        before, _, rest = page.partition(start)
        page = f"{before}{start}{table}\n{end}{rest.partition(end)[2]}"
    return page


def main() -> None:
    """Write the tables."""
    path = project_root() / PAGE
    path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
