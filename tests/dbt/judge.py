"""The dialect over the whole project: what is held to it, what is known of its columns, and where a breach stands."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dialect import CONTRACT_TYPES, PLACES, Columns, Hit, hits, is_decimal

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """A breach in a model: which, the file and line, and whether that is of the source or of the compiled text."""

    model: str
    file: str
    line: int
    is_source: bool
    hit: Hit

    def __str__(self) -> str:
        """One line for the reader of a failed test."""
        place = f"{self.file}:{self.line}" if self.is_source else f"compiled {self.file}:{self.line}"
        return f"{self.model} ({place}): {self.hit.construct}; write {self.hit.instead}"


def findings(
    manifest: Manifest,
    texts: Mapping[str, list[str]],
    raw_keys: Mapping[str, tuple[str, ...]],
    spark: Mapping[str, str],
) -> list[Finding]:
    """Every breach in the models, snapshots and tests that run on both engines.

    ``raw_keys`` are the keys of the raw tables by ``source.table``.
    """
    found: dict[tuple[str, str, int, Hit], Finding] = {}
    for id_, node in sorted(manifest["nodes"].items()):
        if not is_judged(manifest, node):
            continue
        columns = known_columns(manifest, node, raw_keys)
        for text in texts.get(id_, []):
            lines = source_lines(node["raw_code"], text)
            for hit in hits(text, columns, spark):
                line = lines.get(hit.line)
                finding = Finding(node["name"], node["original_file_path"], line or hit.line, line is not None, hit)
                found.setdefault((finding.model, finding.file, finding.line, _but_line(hit)), finding)
    return list(found.values())


def _but_line(hit: Hit) -> Hit:
    return Hit(0, hit.construct, hit.instead)


def is_judged(manifest: Manifest, node: Mapping[str, Any]) -> bool:
    """Whether a node is held to the dialect: models, snapshots and our own tests, but for what stays on Postgres."""
    if node["resource_type"] == "test":
        read = [manifest["nodes"].get(id_, {}) for id_ in node["depends_on"]["nodes"]]
        metadata = node.get("test_metadata")
        is_ours = metadata is None or f"macro.kefu.test_{metadata['name']}" in manifest["macros"]
        return is_ours and not any(is_of_postgres(parent) for parent in read if parent)
    return node["resource_type"] in ("model", "snapshot") and not is_of_postgres(node)


def is_of_postgres(node: Mapping[str, Any]) -> bool:
    """Whether a model says ``meta: {engine: postgres}``: it only feeds dashboards, and they read Postgres."""
    return bool(node["config"].get("meta", {}).get("engine") == "postgres")


def known_columns(manifest: Manifest, node: Mapping[str, Any], raw_keys: Mapping[str, tuple[str, ...]]) -> Columns:
    """What the YAML and the sources say of the columns a node may see, by name.

    Never null is a name that every model from canonical on which documents it says so of; in staging, also the key
    of a raw table read. Keys are those of the node and of what it reads, however far below.
    """
    contracted = [
        other for other in manifest["nodes"].values() if (other["config"].get("contract") or {}).get("enforced")
    ]
    documented: dict[str, bool] = {}
    for other in contracted:
        present = _present(manifest, other)
        for name in other["columns"]:
            documented[name] = documented.get(name, True) and name in present
    never_null = {name for name, is_present in documented.items() if is_present}

    below, keys = _below(manifest, node["unique_id"]), {frozenset(place) for place in PLACES}
    for id_ in below:
        if id_ in manifest["sources"]:
            source = manifest["sources"][id_]
            key = raw_keys.get(f"{source['source_name']}.{source['name']}", ())
            keys.add(frozenset(key))
        else:
            keys |= _unique(manifest, manifest["nodes"][id_])
    for id_ in node["depends_on"]["nodes"]:
        if id_ in manifest["sources"]:
            source = manifest["sources"][id_]
            never_null |= set(raw_keys.get(f"{source['source_name']}.{source['name']}", ()))
    return Columns(frozenset(never_null), frozenset(keys - {frozenset()}))


def _below(manifest: Manifest, id_: str) -> set[str]:
    """A node and everything it reads, directly or not."""
    seen: set[str] = set()
    waiting = [id_]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            waiting += manifest["nodes"].get(current, {}).get("depends_on", {}).get("nodes", [])
    return seen


def _tests(manifest: Manifest, node: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for test in manifest["nodes"].values():
        if test.get("attached_node") == node["unique_id"] and test.get("test_metadata"):
            yield test["test_metadata"]["name"], test


def _present(manifest: Manifest, node: Mapping[str, Any]) -> set[str]:
    """The columns a model's YAML holds to be not null, by a test or by its contract."""
    tested = {test["column_name"] for name, test in _tests(manifest, node) if name == "not_null"}
    return tested | {
        name
        for name, column in node["columns"].items()
        if any(constraint["type"] == "not_null" for constraint in column.get("constraints", []))
    }


def _unique(manifest: Manifest, node: Mapping[str, Any]) -> set[frozenset[str]]:
    """The keys a model's YAML holds to be unique, by a test or by an index."""
    keys = set()
    for name, test in _tests(manifest, node):
        if name == "unique":
            keys.add(frozenset([test["column_name"]]))
        elif name == "unique_together":
            keys.add(frozenset(test["test_metadata"]["kwargs"]["columns"]))
    for index in node["config"].get("indexes") or []:
        if index.get("unique"):
            keys.add(frozenset(index["columns"]))
    return keys


def source_lines(source: str, compiled: str) -> dict[int, int]:
    """For lines of a compiled text the lines of the file they come from, as far as the texts can be matched."""
    written, made = _lines(source), _lines(compiled)
    matcher = difflib.SequenceMatcher(None, [text for _, text in written], [text for _, text in made], autojunk=False)
    matched: dict[int, int] = {}
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind == "equal" or (kind == "replace" and i2 - i1 == j2 - j1):
            matched |= {made[j1 + step][0]: written[i1 + step][0] for step in range(i2 - i1)}
        elif kind == "replace":  # macros that write several lines, loops
            for number, text in made[j1:j2]:
                origins = [line for line, template in written[i1:i2] if i2 - i1 == 1 or _may_write(template, text)]
                if len(origins) == 1:
                    matched[number] = origins[0]
    return matched


def _may_write(template: str, text: str) -> bool:
    """Whether a line of a model, whatever its macros write, can have become a line of the compiled text."""
    return re.fullmatch(".*".join(map(re.escape, re.split(r"{{.*?}}", template))), text) is not None


def _lines(text: str) -> list[tuple[int, str]]:
    """The lines of a text that can say something in SQL, with their numbers."""
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), start=1))
    return [(number, line) for number, line in lines if line and not re.fullmatch(r"{[%#].*[%#]}", line)]


def contract_findings(manifest: Manifest) -> list[str]:
    """Columns whose type in the YAML is not one that both engines have."""
    found = []
    for node in manifest["nodes"].values():
        if node["resource_type"] not in ("model", "seed", "snapshot") or is_of_postgres(node):
            continue
        declared = {name: column["data_type"] for name, column in node["columns"].items() if column["data_type"]}
        declared |= node["config"].get("column_types") or {}
        for name, kind in declared.items():
            digits = re.fullmatch(r"decimal\((\d+), ?(\d+)\)", kind)
            if kind not in CONTRACT_TYPES and not (digits and is_decimal(*map(int, digits.groups()))):
                found.append(f"{node['name']}.{name}: {kind}")
    return found
