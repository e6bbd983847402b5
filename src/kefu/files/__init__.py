"""Files as a source: a mapping says how an export becomes calls, tickets, ticket events and survey answers.

From the outside in: `check` rehearses a mapping, `plan` decides which files have to be read, `delivery` takes one
through its mapping and accounts for every row (`accounts`, `duplicates`). `mapping` is the mapping, validated
(`documents`, `schema`) and compiled: `fields` from their options, with `clocks`, `conversions`, `scopes`, and
`expressions` with `functions` and `operators`. `opening` and `readers` (`delimited`, `workbooks`, `jsonfiles`,
`parquetfiles`) turn a file into rows; `cells`, `formats`, `dates`, `zones` and `values` are about single values.
`kefu.sources.files` puts them together as the kind ``files``.
"""

from __future__ import annotations

from pathlib import Path


def check_mapping(mapping: Path, file: Path | None = None, *, sample: int = 5) -> None:
    """Print what a mapping makes of a file, without loading anything. Raises KefuError."""
    from kefu.files.check import rehearse

    print(rehearse(mapping, file, sample=sample))
