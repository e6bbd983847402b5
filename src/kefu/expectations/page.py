"""The page of a run: every rule and what it found, one HTML file that needs nothing but itself.

No script, no font, no picture and no link to anywhere else: it can be mailed, archived and opened offline.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from kefu.expectations.model import Finding, Report

KEEP = 400  # pages; a check every quarter of an hour fills four days
EDGES = {"raw": ("What landed", "来源数据"), "published": ("What was built", "待发布数据")}

STYLE = """
:root { color-scheme: light dark; --ground: #f4f5f7; --tile: #fff; --ink: #1c2530; --muted: #5a6673; --line: #dde2e8;
  --good: #1f6bae; --bad: #b4481a; --bad-ground: #fdf1ea; --warn: #8a6210; --warn-ground: #fdf6e3; }
@media (prefers-color-scheme: dark) { :root { --ground: #10151b; --tile: #182029; --ink: #e8ecf1; --muted: #a3afbc;
  --line: #303b47; --good: #6aaae6; --bad: #f0905c; --bad-ground: #2b1d17; --warn: #e0b354; --warn-ground: #282214; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); line-height: 1.45; font-size: 15px;
  font-family: Inter, 'Noto Sans', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', system-ui, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 1.5rem 1.25rem 3rem; }
h1 { font-size: 1.35rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .6rem; }
[lang=zh] { font-weight: 400; color: var(--muted); margin-left: .4em; }
.run { color: var(--muted); margin: .15rem 0 1rem; font-size: .87rem; }
.verdict { border-left: .4rem solid var(--good); background: var(--tile); padding: .8rem 1rem; border-radius: 4px;
  font-size: 1.05rem; font-weight: 600; } .verdict.bad { border-color: var(--bad); background: var(--bad-ground); }
.verdict p { margin: .2rem 0 0; font-size: .9rem; font-weight: 400; color: var(--muted); }
.scroll { overflow-x: auto; background: var(--tile); border: 1px solid var(--line); border-radius: 4px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .42rem .7rem; border-top: 1px solid var(--line); vertical-align: top; }
thead th { border-top: 0; font-size: .78rem; font-weight: 600; color: var(--muted); white-space: nowrap; }
td.n, th.n { text-align: right; white-space: nowrap; }
td.mark, th.mark { width: 2rem; text-align: center; font-weight: 700; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); } .muted { color: var(--muted); }
article { background: var(--tile); border: 1px solid var(--line); border-left: .4rem solid var(--bad);
  border-radius: 4px; margin: 0 0 .8rem; padding: .7rem .9rem; } article.warning { border-left-color: var(--warn); }
article h3 { margin: 0; font-size: 1rem; } article p { margin: .2rem 0 .5rem; color: var(--muted); }
article .scroll { border-radius: 3px; } article td, article th { padding: .25rem .6rem; font-size: .87rem; }
code, article td { font-family: 'IBM Plex Mono', 'DejaVu Sans Mono', Consolas, monospace; font-size: .85rem; }
details { background: var(--tile); border: 1px solid var(--line); border-radius: 4px; margin: 0 0 .5rem; }
details .scroll { border: 0; border-top: 1px solid var(--line); border-radius: 0; }
summary { cursor: pointer; padding: .5rem .8rem; } summary .n { float: right; color: var(--muted); font-size: .87rem; }
summary code { font-size: .92rem; } footer { margin-top: 2.5rem; color: var(--muted); font-size: .82rem; }
@media print { details > :not(summary) { display: block; } }
"""


def write(folder: Path, run: str, reports: Sequence[Report]) -> Path:
    """Write the page of a run, and the same as ``latest.html``; forget the oldest pages. Returns the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    text = render(run, reports)
    path = folder / f"{run}.html"
    for target in (path, folder / "latest.html"):
        _replace(target, text)
    pages = sorted(folder.glob("*.html"), key=lambda page: page.stat().st_mtime)
    for old in [page for page in pages if page.name != "latest.html"][:-KEEP]:
        old.unlink(missing_ok=True)
    return path


def render(run: str, reports: Sequence[Report]) -> str:
    """The page as HTML text."""
    failed = [finding for report in reports for finding in report.failed]
    warned = [finding for report in reports for finding in report.warnings]
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{'✗' if failed else '✓'} Data checks, {escape(run)}</title><style>{STYLE}</style></head><body><main>",
        f"<h1>Data checks{_zh('数据检查')}</h1>",
        f'<p class="run">Run <code>{escape(run)}</code></p>',
        _verdict(reports, failed, warned),
        f"<h2>Summary{_zh('概要')}</h2>",
        _summary(reports),
    ]
    if failed:
        parts += [f"<h2>What is broken{_zh('未通过的规则')}</h2>", *map(_card, failed)]
    if warned:
        parts += [f"<h2>Worth a look{_zh('提醒')}</h2>", *map(_card, warned)]
    for report in reports:
        english, chinese = EDGES[report.edge]
        parts.append(f"<h2>{english}: <code>{escape(report.subject)}</code>{_zh(chinese)}</h2>")
        parts += [_table(name, list(findings)) for name, findings in groupby(report.findings, lambda f: f.table)]
    parts.append(
        f"<footer>{'; '.join(sorted({f'as of {_time(report)}' for report in reports}))}. Values about a person or in"
        " a person's own words are shown as “…”. What to do: docs/runbooks/expectations.md.</footer>"
        "</main></body></html>\n"
    )
    return "\n".join(parts)


def _verdict(reports: Sequence[Report], failed: Sequence[Finding], warned: Sequence[Finding]) -> str:
    rules = sum(len(report.findings) for report in reports)
    tables = sum(report.tables for report in reports)
    also = f" {_many(len(warned), 'warning')}: said, stops nothing." if warned else ""
    if failed:
        text = f"✗ {len(failed)} of {_many(rules, 'rule')} broken{_zh('未通过')}"
        more = f"Nothing that breaks a rule is shown to readers; they keep the last good build.{also}"
    else:
        holding = f"{rules - len(warned):,} of {_many(rules, 'rule')}" if warned else f"All {_many(rules, 'rule')}"
        text = f"✓ {holding} on {_many(tables, 'table')} hold{_zh('通过' if warned else '全部通过')}"
        more = also.strip() or "Nothing to do."
    return f'<div class="verdict{" bad" if failed else ""}">{text}<p>{more}</p></div>'


def _summary(reports: Sequence[Report]) -> str:
    rows = []
    for report in reports:
        english, chinese = EDGES[report.edge]
        rows.append(
            f"<tr>{_mark(report.ok, bool(report.warnings))}<td>{english}{_zh(chinese)}</td>"
            f"<td><code>{escape(report.subject)}</code></td>"
            f'<td class="n">{report.tables}</td><td class="n">{len(report.findings)}</td>'
            f'<td class="n{" bad" if report.failed else ""}">{len(report.failed)}</td>'
            f'<td class="n{" warn" if report.warnings else ""}">{len(report.warnings)}</td>'
            f'<td class="n">{report.checked_at:%Y-%m-%d %H:%M:%S}Z</td><td class="n">{report.seconds:.1f} s</td></tr>'
        )
    heads = [
        ("mark", "", ""), ("", "Edge", "环节"), ("", "Checked", "对象"), ("n", "Tables", "表"), ("n", "Rules", "规则"),
        ("n", "Broken", "未通过"), ("n", "Warnings", "提醒"), ("n", "At", "时间"), ("n", "Took", "耗时"),
    ]  # fmt: skip
    return _grid(heads, rows)


def _card(finding: Finding) -> str:
    kind = "warning" if not finding.stops else "broken"
    return (
        f'<article class="{kind}"><h3>{escape(finding.rule)}</h3>'
        f"<p><code>{escape(finding.table)}</code> · {escape(finding.sentence())}</p>{_examples(finding)}</article>"
    )


def _examples(finding: Finding) -> str:
    if not finding.examples:
        return ""
    names = list(finding.examples[0])
    rows = [
        "<tr>" + "".join(f"<td>{_value(example.get(name))}</td>" for name in names) + "</tr>"
        for example in finding.examples
    ]
    more = finding.broken - len(finding.examples)
    rest = f'<p class="muted">… and {more:,} more</p>' if more > 0 else ""
    return _grid([("", name, "") for name in names], rows) + rest


def _value(value: Any) -> str:
    return '<span class="muted">null</span>' if value is None else escape(str(value))


def _table(name: str, findings: Sequence[Finding]) -> str:
    broken, warned = sum(f.stops for f in findings), sum(not f.ok and not f.stops for f in findings)
    rows = [
        f"<tr>{_mark(not f.stops, not f.ok)}<td>{escape(f.rule)}"
        + (f'<br><span class="muted">{escape(f.note)}</span>' if f.note else "")
        + f'</td><td class="n">{f.rows:,}</td><td class="n{_shade(f)}">{_broken(f)}</td></tr>'
        for f in findings
    ]
    heads = [("mark", "", ""), ("", "Rule", "规则"), ("n", "Rows", "行数"), ("n", "Broken by", "违反")]
    what = [_many(max(finding.rows for finding in findings), "row"), _many(len(findings), "rule")]
    what += [f'<span class="bad">{broken} broken</span>'] if broken else []
    what += [f'<span class="warn">{_many(warned, "warning")}</span>'] if warned else []
    sign, shade = ("✗", "bad") if broken else ("!", "warn") if warned else ("✓", "good")
    return (
        f"<details{' open' if broken else ''}><summary><b class='{shade}'>{sign}</b> <code>{escape(name)}</code>"
        f'<span class="n">{" · ".join(what)}</span></summary>{_grid(heads, rows)}</details>'
    )


def _shade(finding: Finding) -> str:
    return " bad" if finding.stops else "" if finding.ok else " warn"


def _broken(finding: Finding) -> str:
    if not finding.broken:
        return "0" if finding.ok else "✗"
    return f"{finding.broken:,}" + ("" if finding.unit == "rows" else f" {escape(finding.unit)}")


def _grid(heads: Iterable[tuple[str, str, str]], rows: Iterable[str]) -> str:
    head = "".join(
        f"<th{f' class={kind!r}' if kind else ''}>{escape(english)}{_zh(chinese)}</th>"
        for kind, english, chinese in heads
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _mark(ok: bool, warned: bool) -> str:
    sign, shade, word = (
        ("✗", "bad", "broken") if not ok else ("!", "warn", "warning") if warned else ("✓", "good", "holds")
    )
    return f'<td class="mark {shade}" aria-label="{word}">{sign}</td>'


def _zh(text: str) -> str:
    return f'<span lang="zh">{text}</span>' if text else ""


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _time(report: Report) -> str:
    return f"{report.as_of:%Y-%m-%d %H:%M:%S}Z"


def _replace(path: Path, text: str) -> None:
    """Readers of the page never see half of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
