"""Nothing is lost between the layers: take one row away at each border, and the test of that border finds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from psycopg import sql

from kefu import golden, transform, warehouse
from kefu.settings import project_root
from tests.golden.conftest import Told

pytestmark = pytest.mark.slow

# The test of each border, and of which table a row goes.
BORDERS = {
    "assert_nothing_of_zendesk_is_lost": ("canonical", "ticket_events", "source = 'zendesk'"),
    "assert_nothing_of_asterisk_is_lost": ("canonical", "interaction_segments", "segment_type = 'queue'"),
    "assert_nothing_of_qualtrics_is_lost": ("canonical", "survey_responses", "source = 'qualtrics'"),
    "assert_nothing_of_files_is_lost": ("canonical", "interactions", "source = 'exports'"),
    "assert_nothing_of_the_ledger_is_lost": ("marts_a", "fct_tickets", "true"),
    "assert_kpis_count_every_fact": ("kpis_a", "kpi_telephony_hourly", "offered > 0"),
}


@pytest.fixture
def robbed(told: Callable[[golden.Golden], Told]) -> Iterator[Told]:
    """The warehouse of the stories without one row at each border; they come back afterwards."""
    centre = told(next(one for one in golden.load(project_root()) if not one.case.parameters))
    with warehouse.connect(centre.settings, autocommit=True) as connection:
        taken = [(sql.Identifier(schema, table), sql.SQL(which)) for schema, table, which in BORDERS.values()]
        for number, (table, which) in enumerate(taken):
            keep = sql.Identifier("staging", f"taken_{number}")
            connection.execute(
                sql.SQL("create table {} as select * from {} where {} limit 1").format(keep, table, which)
            )
            done = connection.execute(
                sql.SQL("delete from {} as t where t = any (select row(k.*)::{} from {} as k)").format(
                    table, table, keep
                )
            )
            assert done.rowcount == 1
        try:
            yield centre
        finally:
            for number, (table, _) in enumerate(taken):
                keep = sql.Identifier("staging", f"taken_{number}")
                connection.execute(sql.SQL("insert into {} select * from {}").format(table, keep))
                connection.execute(sql.SQL("drop table {}").format(keep))


def failures(centre: Told) -> dict[str, int]:
    """How many rows each test at a border finds, looking at everything and not at the last change only."""
    status, lines = transform.run_dbt(
        centre.settings, "a", ["compile", "--full-refresh", "--select", "path:tests/borders"]
    )
    assert status == 0, "\n".join(lines)
    folder = centre.settings.home / "dbt" / "slot_a" / "compiled" / "kefu" / "tests" / "borders"
    with warehouse.connect(centre.settings) as connection:
        return {
            path.stem: len(connection.execute(path.read_bytes()).fetchall()) for path in sorted(folder.glob("*.sql"))
        }


def test_a_row_taken_away_at_a_border_is_missed(robbed: Told) -> None:
    found = failures(robbed)
    assert set(found) == set(BORDERS)
    assert [name for name, rows in found.items() if not rows] == []


def test_every_border_has_such_a_test() -> None:
    assert {path.stem for path in (project_root() / "dbt_project" / "tests" / "borders").glob("*.sql")} == set(BORDERS)
