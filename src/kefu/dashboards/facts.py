"""What of the pages depends on the data: read once an import, so that nothing depends on the clock of a browser."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from kefu import catalogue, warehouse
from kefu.dashboards.charts import Facts
from kefu.dashboards.source import LANGUAGES, Band, Dashboard, Lines, Source
from kefu.errors import KefuError
from kefu.settings import Settings

if TYPE_CHECKING:
    import psycopg

_PERIODS = {"day": "service_date", "week": "date_trunc('week', service_date)"}


def read(settings: Settings, source: Source) -> Facts:
    """The facts of what is published now. KefuError if nothing is."""
    import psycopg

    kpis = catalogue.load(settings.project)
    with warehouse.connect(settings, "dashboard") as connection:
        try:
            as_of = _as_of(settings, connection)
        except psycopg.errors.UndefinedTable as error:
            raise KefuError(
                "Nothing has been published yet, so there is nothing to show.",
                expected="the view kpis.publication",
                do="Run `kefu run` first.",
            ) from error
        tables = {data.table for data in source.datasets.values() if data.table and not data.weekly}
        last_days = {
            table: _value(connection, f"select max(service_date) from kpis.{table}") for table in sorted(tables)
        }
        windows = {
            name: _window(page, as_of, [last_days[table] for table in _tables(page, source) if last_days[table]])
            for name, page in source.dashboards.items()
        }
        tops = {}
        for name, chart in source.charts.items():
            if not isinstance(chart, Band | Lines):
                continue
            kpi = kpis[chart.kpi if isinstance(chart, Band) else chart.kpis[0]]
            begin = min(
                (windows[page][0] for page, body in source.dashboards.items() if name in body.tiles()),
                default="-infinity",
            )
            if kpi.low_sql:
                tops[name] = int(
                    _value(
                        connection,
                        f"select max(n) from (select {kpi.n_sql} as n from kpis.{kpi.table}"
                        f" where service_date >= %s group by {_PERIODS[chart.grain]}) as periods",
                        begin,
                    )
                    or 1
                )
        teams = {
            language: [
                name
                for (name,) in connection.execute(
                    f"select team_{language} from kpis.kpi_scorecard where kpi = 'backlog' and variation = 'worse'"
                    f" and team_id <> 'all' order by team_id".encode()
                )
            ]
            for language in LANGUAGES
        }
    return Facts(windows, tops, teams, settings.parameters.minimum_n)


def publication(settings: Settings) -> str:
    """What tells one publication from the next."""
    with warehouse.connect(settings, "dashboard") as connection:
        row = connection.execute("select slot, published_at, as_of_at from kpis.publication").fetchone()
    return "" if row is None else " ".join(str(item) for item in row)


def _as_of(settings: Settings, connection: psycopg.Connection[Any]) -> date:
    found = _value(
        connection,
        "select cast(as_of_at at time zone 'UTC' at time zone %s as date) from kpis.publication",
        settings.reporting_zone,
    )
    if not isinstance(found, date):
        raise KefuError("Nothing has been published yet, so there is nothing to show.", do="Run `kefu run` first.")
    return found


def _window(page: Dashboard, as_of: date, last_days: list[date]) -> tuple[str, str]:
    """First day and the day after the last one: whole weeks or whole days, of which there are data."""
    end = min(as_of, max(last_days, default=as_of) + timedelta(days=1))
    if page.window.until == "week":
        # The week that is under way belongs to no page of whole weeks; old data end with their own last week.
        end = _monday(as_of) if end > _monday(as_of) else _monday(end + timedelta(days=6))
    begin = _monday(end) - timedelta(weeks=page.window.weeks)
    return begin.isoformat(), end.isoformat()


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _tables(page: Dashboard, source: Source) -> list[str]:
    names = [source.datasets[source.charts[tile].dataset] for tile in page.tiles()]
    return [data.table for data in names if data.table and not data.weekly]


def _value(connection: psycopg.Connection[Any], query: str, *values: Any) -> Any:
    row = connection.execute(query.encode(), values or None).fetchone()
    return row[0] if row else None
