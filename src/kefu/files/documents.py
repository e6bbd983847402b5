"""YAML as a mapping's author means it, with the line of every key.

PyYAML follows YAML 1.1, where ``NO`` is false, ``12:30`` is 750 and ``2024-01-01`` is a date object: traps for
value maps. Here only ``true``/``false``, plain numbers and ``null`` are anything but text, keys are always text, and a
key given twice is an error instead of a silent loss.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kefu.errors import KefuError

Where = tuple[str | int, ...]

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)\.[0-9]+")


@dataclass(frozen=True)
class Document:
    """A parsed YAML file: ``content`` and the line (from 1) each path of keys starts on."""

    path: Path
    content: Any
    lines: dict[Where, int] = field(default_factory=dict)

    def line(self, where: Where) -> int | None:
        """The line of ``where`` or of the nearest thing around it."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where)


def read_document(path: Path) -> Document:
    """Parse a YAML file. Raises KefuError when it is missing, empty, no YAML or has a key twice."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise KefuError(
            f"There is no mapping file {path.name}.", expected=f"a file {path}", do="See docs/add-a-source.md."
        ) from None
    except IsADirectoryError:
        raise KefuError(f"{path} is a folder.", expected="a mapping file (YAML)") from None
    except UnicodeDecodeError as error:
        raise KefuError(
            f"The mapping {path.name} is not UTF-8.", found=f"byte {error.start}", where=str(path)
        ) from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        said = getattr(error, "problem", None) or str(error)
        hint = None
        if "`" in said or "%" in said or "@" in said:
            hint = "Put the whole value into double quotes: these characters may not begin a plain one."
        elif "expected ',' or '}'" in said or "expected ',' or ']'" in said:
            hint = "Inside { } and [ ] a formula with a comma needs quotes around it, or write it on lines of its own."
        elif "mapping values are not allowed" in said:
            hint = "A value that holds ': ' needs quotes around it."
        raise KefuError(
            f"The mapping {path.name} is not valid YAML.", found=said, where=f"{path}, {line}", do=hint
        ) from None
    if node is None:
        raise KefuError(f"The mapping {path.name} is empty.", where=str(path), do="See docs/add-a-source.md.")
    document = Document(path, None)
    content = _content(node, (), document)
    return Document(path, content, document.lines)


def _content(node: yaml.Node, where: Where, document: Document) -> Any:
    document.lines.setdefault(where, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_content(item, (*where, index), document) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        inherited: set[str] = set()
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise KefuError(
                    f"The mapping {document.path.name} has a key that is not a word.",
                    where=f"{document.path}, line {key_node.start_mark.line + 1}",
                )
            key = key_node.value
            if key == "<<":  # YAML's merge key: what an anchor says, unless said here
                merged = _content(value_node, (*where, key), document)
                parts = merged if isinstance(merged, list) else [merged]
                shared = {name: value for part in parts if isinstance(part, dict) for name, value in part.items()}
                found = {**shared, **found}
                inherited |= shared.keys()
                continue
            if key in found and key not in inherited:
                raise KefuError(
                    f"The mapping {document.path.name} has the key {key!r} twice in one place.",
                    where=f"{document.path}, lines {document.lines[(*where, key)]} and {key_node.start_mark.line + 1}",
                    do="Keep one of them.",
                )
            document.lines[(*where, key)] = key_node.start_mark.line + 1
            found[key] = _content(value_node, (*where, key), document)
            inherited.discard(key)
        return found
    return _scalar(node)


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    if not isinstance(node, yaml.ScalarNode) or node.style is not None:
        return text  # quoted or block text is text
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    return text
