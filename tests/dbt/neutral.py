"""The models compiled for no engine: every macro of macros/engine stands as a call, ``kf_epoch(created_at)``.

What is left of a model then is its own text, and that is what `dialect` judges. The calls come from the macros' real
signatures; which arguments are texts, and which macros make a whole query, is read from their Postgres form.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import nodes

from kefu import transform
from kefu.settings import Settings

ENGINE = Path("macros", "engine")
POSTGRES, SPARK = "postgres__", "spark__"

# dbt would ask the database whether the table is there; here each model is compiled for both answers.
IS_INCREMENTAL = "{% macro is_incremental() %}{{ return(not flags.FULL_REFRESH) }}{% endmacro %}"


@dataclass(frozen=True)
class Macro:
    """A macro of the engine folder: its arguments, and how its text uses them."""

    name: str
    arguments: tuple[str, ...]
    defaults: tuple[Any, ...]
    texts: frozenset[int]  # places of arguments that the macro itself puts between quotes
    opening: str  # the first words it writes

    def stub(self) -> str:
        """A macro of the same signature that writes a call of itself."""
        optional = len(self.arguments) - len(self.defaults)
        signature = ", ".join(
            name if place < optional else f"{name}={self.defaults[place - optional]!r}"
            for place, name in enumerate(self.arguments)
        )
        shown = ", ".join(
            f"'{{{{ {name} }}}}'" if place in self.texts else f"{{{{ 'null' if {name} is none else {name} }}}}"
            for place, name in enumerate(self.arguments)
        )
        # without arguments it is the name of a type
        call = f"{self.name}({shown})" if self.arguments else self.name
        if self.opening.startswith("as "):  # a hint to one engine says nothing to the other
            call = "as"
        if self.opening.startswith(("select", "with")):
            call = f"select {call} as {self.name}"
        return f"{{% macro {self.name}({signature}) -%}}{call}{{%- endmacro %}}"


def macros(path: Path) -> dict[str, Macro]:
    """The macros of a file, by name, those of single engines (``postgres__…``) included."""
    tree = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=False).parse(path.read_text(encoding="utf-8"))
    return {node.name: _macro(node) for node in tree.find_all(nodes.Macro)}


def _macro(node: nodes.Macro) -> Macro:
    arguments = [argument.name for argument in node.args]
    texts, opening = set(), ""
    for output in node.find_all(nodes.Output):
        parts = output.nodes
        if not opening and isinstance(parts[0], nodes.TemplateData):
            opening = parts[0].data.strip()
        for before, part, after in zip(parts, parts[1:], parts[2:], strict=False):
            if (
                isinstance(part, nodes.Name)
                and part.name in arguments
                and isinstance(before, nodes.TemplateData)
                and isinstance(after, nodes.TemplateData)
                and before.data.endswith("'")
                and after.data.startswith("'")
            ):
                texts.add(arguments.index(part.name))
    defaults = [default.as_const() for default in node.defaults]
    return Macro(node.name, tuple(arguments), tuple(defaults), frozenset(texts), opening)


def stubs(path: Path) -> str:
    """What stands in for a file of the engine folder: each of its macros as a call of itself."""
    found = macros(path)
    written = []
    for name, macro in found.items():
        if name.startswith((POSTGRES, SPARK)):
            continue
        form = found.get(POSTGRES + name, macro)
        written.append(Macro(name, macro.arguments, macro.defaults, form.texts, form.opening).stub())
    return "\n".join(written) + "\n"


def words_of_spark(project: Path) -> dict[str, str]:
    """What Spark calls the types for which there are macros: ``kf_text`` is ``string``."""
    return {
        name.removeprefix(SPARK): macro.opening
        for path in sorted((project / ENGINE).glob("*.sql"))
        for name, macro in macros(path).items()
        if name.startswith(SPARK) and not macro.arguments
    }


def neutral_project(project: Path, folder: Path) -> Path:
    """A dbt project in ``folder``: ``project`` by links, the engine's macros by stubs."""
    folder.mkdir(parents=True)
    for path in project.iterdir():
        if path.name not in ("macros", "target", "logs"):
            (folder / path.name).symlink_to(path)
    for path in (project / "macros").rglob("*.sql"):  # file by file: below its folders dbt follows no links
        place = folder / path.relative_to(project)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.is_relative_to(project / ENGINE):
            place.write_text(stubs(path), encoding="utf-8")
        else:
            place.symlink_to(path)
    (folder / "macros" / "is_incremental.sql").write_text(IS_INCREMENTAL, encoding="utf-8")
    return folder


def compiled(settings: Settings, folder: Path) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """dbt's manifest of the neutral project, and the compiled texts of every model, snapshot and test by its id.

    There are two texts of what a full build says otherwise than one of what changed. No database is asked.
    """
    neutral_project(settings.project / "dbt_project", folder / "dbt_project")
    settings = settings.model_copy(update={"project": folder})
    texts: dict[str, list[str]] = {}
    for arguments in (["--full-refresh"], []):
        manifest = _compile(settings, arguments)
        for id_, node in manifest["nodes"].items():
            text = node.get("compiled_code")
            if text and text not in texts.setdefault(id_, []):
                texts[id_].append(text)
    return manifest, texts


def _compile(settings: Settings, arguments: list[str]) -> dict[str, Any]:
    offline = ["--no-introspect", "--no-populate-cache"]
    status, lines = transform.run_dbt(settings, "a", ["compile", *offline, *arguments])
    assert status == 0, "\n".join(lines)
    manifest: dict[str, Any] = json.loads(
        (settings.home / "dbt" / "slot_a" / "manifest.json").read_text(encoding="utf-8")
    )
    return manifest
