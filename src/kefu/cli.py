"""The command ``kefu``. Each command is a few lines: the work is in the modules it calls."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from typer.core import TyperGroup

from kefu.errors import KefuError


class _Commands(TyperGroup):
    """The commands; typer itself would end an interruption without a word."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print(
                "kefu: interrupted. Nothing half-done is visible; run the same command again to go on.",
                file=sys.stderr,
            )
            raise typer.Exit(130) from None


app = typer.Typer(
    name="kefu",
    cls=_Commands,
    help="Kefu (客服): a customer-service performance warehouse. Configuration: kefu.toml, or KEFU_CONFIG; state: "
    "KEFU_HOME.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Names = Annotated[list[str] | None, typer.Argument(help="Sources; all enabled ones by default.", metavar="[SOURCE]...")]
Full = Annotated[bool, typer.Option("--full", help="From the beginning, not from where the last run ended.")]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", help="Build as of this time, e.g. 2026-03-31T16:00Z (UTC without a zone). Default: now."),
]


class Format(StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"
    json = "json"


class Language(StrEnum):
    """The languages there are."""

    en = "en"
    zh = "zh"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; a problem the user can act on is printed without a traceback, exit status 1."""
    try:
        app(args=list(arguments) if arguments is not None else None)
    except KefuError as error:
        print(f"kefu: {error}", file=sys.stderr)
        raise SystemExit(1) from None


# --- from source to reader -------------------------------------------------------------------------------------------


@app.command()
def run(sources: Names = None, as_of: AsOf = None, full: Full = False) -> None:
    """Extract, check, build, check, publish: everything, without Airflow."""
    from kefu import pipeline

    pipeline.run(sources or (), as_of=_instant(as_of), full=full)


@app.command()
def extract(sources: Names = None, full: Full = False) -> None:
    """Land sources in their raw schemas."""
    from kefu import pipeline

    pipeline.extract(sources or (), full=full)


@app.command()
def build(
    layers: Annotated[
        list[str] | None,
        typer.Argument(help="canonical, marts, kpis; all by default.", metavar="[LAYER]..."),
    ] = None,
    as_of: AsOf = None,
    full: Annotated[bool, typer.Option("--full", help="Make everything anew, not only what changed.")] = False,
) -> None:
    """Build the models into the slot nobody reads, and test them: what changed since its last build."""
    from kefu import pipeline

    pipeline.build(layers or (), as_of=_instant(as_of), full=full)


@app.command()
def check(
    edge: Annotated[str, typer.Argument(help="raw, published or all.", metavar="[EDGE]")] = "all",
    sources: Names = None,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Let a table pass that has lost rows since its last check.")
    ] = False,
) -> None:
    """Hold what landed, or what was built, to the expectations."""
    from kefu import pipeline

    if edge not in ("raw", "published", "all"):
        raise KefuError(f"There is no edge {edge!r}.", expected="raw, published or all")
    if edge in ("raw", "all"):
        pipeline.check_raw(sources or (), accept_loss=accept_loss)
    if edge in ("published", "all"):
        pipeline.check_published(accept_loss=accept_loss)


@app.command()
def publish() -> None:
    """Turn readers to the build that has passed its checks."""
    from kefu import pipeline

    pipeline.publish()


@app.command()
def rollback() -> None:
    """Turn readers back to the publication before."""
    from kefu import publish as publication
    from kefu.settings import load_settings

    print(publication.rollback(load_settings()))


# --- the numbers -----------------------------------------------------------------------------------------------------


@app.command()
def kpi(
    name: Annotated[str, typer.Argument(help="The KPI, e.g. service_level; `kefu catalogue` lists them.")],
    first: Annotated[str | None, typer.Option("--from", help="First reporting day, e.g. 2026-03-01.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last reporting day, itself included.")] = None,
    grain: Annotated[str, typer.Option(help="total, day, week or month.")] = "total",
    by: Annotated[str, typer.Option(help="Dimensions, separated by commas, e.g. team,channel.")] = "",
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    profile: Annotated[str, typer.Option(help="Definition profile.")] = "kefu",
    where: Annotated[
        list[str] | None,
        typer.Option(help="Only these values of a dimension, e.g. team=returns,billing; may be given several times."),
    ] = None,
    version: Annotated[int | None, typer.Option(help="An earlier version of the definition.")] = None,
    as_reported: Annotated[
        str | None,
        typer.Option(help="What was published then: the end of a day, e.g. 2026-03-31, or an instant with its time."),
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="table, csv or json.")] = Format.table,
) -> None:
    """The value of a KPI with numerator, denominator, n and 95 % interval."""
    from kefu import kpi as numbers
    from kefu.settings import load_settings

    settings = load_settings()
    question = numbers.Question(
        kpi=name,
        first=_day(first, "--from"),
        last=_day(last, "--to"),
        grain=grain,
        by=tuple(part.strip() for part in by.split(",") if part.strip()),
        source=source,
        profile=profile,
        where=_conditions(where or []),
        version=version,
        as_reported=_moment_reported(as_reported, settings.reporting_zone),
    )
    rows = numbers.ask(settings, question)
    _print_rows(numbers.columns(question.by), rows, output)
    if not rows:
        print("There is no data for this question.", file=sys.stderr)


@app.command()
def explain(
    name: Annotated[str, typer.Argument(help="The KPI, e.g. service_level.")],
    to_profile: Annotated[str, typer.Option("--to-profile", help="The definition to go to; docs/kpis.md lists them.")],
    from_profile: Annotated[str, typer.Option("--from-profile", help="The definition to start from.")] = "kefu",
    on: Annotated[str | None, typer.Option("--on", help="One reporting day, e.g. 2026-03-01.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First reporting day.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last reporting day, itself included.")] = None,
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    language: Annotated[Language, typer.Option("--language", "-l", help="en or zh.")] = Language.en,
    output: Annotated[Format, typer.Option("--format", help="table, csv or json.")] = Format.table,
) -> None:
    """Why two definitions of a KPI give two numbers: contact by contact, from the one to the other."""
    from kefu import explain as explanations
    from kefu.settings import load_settings

    told = explanations.explain(
        load_settings(),
        name,
        from_profile=from_profile,
        to_profile=to_profile,
        first=_day(on or first, "--on" if on else "--from"),
        last=_day(on or last, "--on" if on else "--to"),
        source=source,
        language=language,
    )
    rows = explanations.rows(told, language)
    _print_rows(list(rows[0]), rows, output)
    if not told.contacts():
        print("There were no contacts.", file=sys.stderr)


@app.command()
def restated(
    name: Annotated[str, typer.Argument(help="The KPI, e.g. service_level.")],
    first: Annotated[str | None, typer.Option("--from", help="First reporting day, e.g. 2026-03-01.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last reporting day, itself included.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also the days whose value is still the first one.")] = False,
    output: Annotated[Format, typer.Option("--format", help="table, csv or json.")] = Format.table,
) -> None:
    """How much the value of each day has moved since it was first published (D05)."""
    from kefu import restated as history
    from kefu.settings import load_settings

    rows = history.restated(load_settings(), name, _day(first, "--from"), _day(last, "--to"))
    _print_rows(history.COLUMNS, [row for row in rows if every or row["size"] != 0], output)
    print(history.summary(rows), file=sys.stderr)


@app.command()
def trust(
    names: Annotated[list[str] | None, typer.Argument(help="KPIs, e.g. service_level; all if none is named.")] = None,
    output: Annotated[Format, typer.Option("--format", help="table, csv or json.")] = Format.table,
) -> None:
    """How far each KPI can be trusted: the weighted share of rules that hold where its numbers come from (D01)."""
    from kefu import trust as trusted
    from kefu.settings import load_settings

    rows = trusted.trust(load_settings(), names or ())
    _print_rows(trusted.COLUMNS, rows, output)
    print(trusted.summary(rows), file=sys.stderr)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise KefuError(f"{text!r} is no time.", expected="one like 2026-03-31T16:00Z", where="--as-of") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _day(text: str | None, where: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise KefuError(f"{text!r} is no day.", expected="one like 2026-03-31", where=where) from None


@app.command()
def catalogue(
    language: Annotated[Language, typer.Option("--language", "-l", help="en or zh.")] = Language.en,
    check: Annotated[
        bool, typer.Option("--check", help="Fail if anything generated from the catalogue has drifted.")
    ] = False,
    output: Annotated[Format, typer.Option("--format", help="table, csv or json.")] = Format.table,
) -> None:
    """List the KPIs there are."""
    from kefu import catalogue as kpis
    from kefu.settings import project_root

    project = project_root()
    if check:
        if drift := kpis.check(project):
            raise KefuError("The catalogue has drifted:\n" + "\n".join(f"  - {line}" for line in drift))
        print(f"catalogue: {len(kpis.load(project))} KPIs, nothing has drifted")
        return
    rows = [
        {
            "code": one.code,
            "kpi": one.id,
            "name": one.name[language],
            "unit": kpis.UNIT_NAMES[one.unit][language],
            "better": kpis.DIRECTION_NAMES[one.direction][language],
            "target": one.target,
            "dimensions": ",".join(one.dimensions),
            "description": one.description[language],
        }
        for one in kpis.load(project).values()
    ]
    names = list(rows[0])
    _print_rows(
        names if output is not Format.table else [name for name in names if name != "dimensions"],
        rows,
        output,
    )


@app.command(hidden=True)
def generate(
    same_numbers: Annotated[
        bool, typer.Option("--same-numbers", help="A formula is written otherwise, and no number changes by it.")
    ] = False,
) -> None:
    """Write docs/kpis.md and what else follows from the catalogue."""
    from kefu import catalogue as kpis
    from kefu.settings import project_root

    project = project_root()
    for path in kpis.generate(project, same_numbers=same_numbers):
        print(f"generate: {path.relative_to(project)}")


# --- the local stack -------------------------------------------------------------------------------------------------


@app.command()
def demo() -> None:
    """An invented service centre on this machine: sources, Airflow, warehouse and dashboards."""
    from kefu.stack import demo as stack

    stack.demo()


@app.command()
def up() -> None:
    """Start the local stack of this configuration."""
    from kefu.settings import load_settings
    from kefu.stack import demo as stack

    stack.up(load_settings())


@app.command()
def down() -> None:
    """Stop everything Kefu started."""
    from kefu.settings import load_settings
    from kefu.stack import demo as stack

    stack.down(load_settings())


@app.command()
def status() -> None:
    """What is up, whether it is healthy, and how old the data is."""
    from kefu.settings import load_settings
    from kefu.stack import status as stack

    stack.show(load_settings())


@app.command()
def doctor() -> None:
    """Check the set-up and name what to fix."""
    from kefu import doctor as examination

    raise typer.Exit(examination.run())


@app.command("check-mapping")
def check_mapping(
    mapping: Annotated[Path, typer.Argument(help="The mapping file.")],
    file: Annotated[Path | None, typer.Argument(help="A file to try it on; the mapping's own path by default.")] = None,
    sample: Annotated[int, typer.Option(help="How many mapped rows to show.")] = 5,
) -> None:
    """Try a mapping on a file: the first rows as Kefu reads them, and why others are quarantined."""
    from kefu import files

    files.check_mapping(mapping, file, sample=sample)


@app.command(hidden=True)
def screenshots() -> None:
    """Pictures of the running stack's dashboards, for the docs."""
    from kefu import dashboards
    from kefu.settings import load_settings

    settings = load_settings()
    for slug in ("director-en", "director-zh"):
        path = settings.project / "docs" / "images" / f"{slug.replace('-', '_')}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        dashboards.screenshot(settings, slug, path, whole=True)
        print(f"screenshots: {path.relative_to(settings.project)}")


# --- in and out ------------------------------------------------------------------------------------------------------


def _moment_reported(text: str | None, zone: str) -> datetime | None:
    """The end of a day, or an instant, where the centre is."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise KefuError(
            f"{text!r} is no day and no instant.", expected="2026-03-31 or 2026-03-31T17:30", where="--as-reported"
        ) from None
    if len(text) == len("2026-03-31"):
        moment += timedelta(days=1, microseconds=-1)
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))


def _conditions(texts: list[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = []
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not values:
            raise KefuError(f"{text!r} is no condition.", expected="one like team=returns,billing", where="--where")
        found.append((name.strip(), tuple(value.strip() for value in values.split(","))))
    return tuple(found)


def _print_rows(names: list[str], rows: list[dict[str, Any]], output: Format) -> None:
    if output is Format.json:
        print(
            json.dumps(
                [{name: row[name] for name in names} for row in rows],
                ensure_ascii=False,
                default=str,
                indent=2,
            )
        )
    elif output is Format.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([row[name] for name in names] for row in rows)
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in names:
            numeric = any(isinstance(row[name], int | float) for row in rows)
            table.add_column(name, justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(_shown(name, row) for name in names))
        console = Console()
        # A pipe has no width of its own: lines must not be cut there.
        Console(width=console.width if console.is_terminal else 500).print(table)


def _shown(name: str, row: dict[str, Any]) -> str:
    value = row[name]
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in ("value", "low", "high") and isinstance(value, float):
        return (
            f"{100 * value:.1f} %"
            if row["unit"] == "percent"
            else f"{value:,.10g}"
            if value == int(value)
            else f"{value:,.3f}"
        )
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) and name != "version" else str(value)


if __name__ == "__main__":
    main()
