"""Publication: readers see one finished build or the next, whatever happens in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from kefu import control, publish
from kefu import warehouse as database
from kefu.errors import KefuError
from kefu.settings import Settings

MONDAY = datetime(2026, 3, 2, 16)


@pytest.fixture
def centre(warehouse: Settings) -> Settings:
    """A warehouse that knows the control tables and has published nothing yet."""
    control.prepare(warehouse)
    publish.prepare(warehouse)
    return warehouse


def build(settings: Settings, number: int, *, checked: bool = True, columns: str = "1 as extra", slot: str = "") -> str:
    """Build two tables that say ``number`` into the slot readers do not see."""
    current = control.begin_build(settings, slot or publish.target_slot(settings), MONDAY.replace(tzinfo=UTC))
    with database.connect(settings) as connection:
        for schema, table in (("marts", "fct_calls"), ("kpis", "kpi_calls_daily")):
            name = f"{schema}_{current.slot}.{table}"
            connection.execute(f"drop table if exists {name} cascade")
            connection.execute(f"create table {name} as select {number} as answered, 'asterisk' as source, {columns}")
            connection.execute(f"comment on table {name} is 'One row per build; build {number}.'")
            connection.execute(f"comment on column {name}.answered is 'Answered in build {number}.'")
    control.mark(settings, current, "built")
    if checked:
        control.mark(settings, current, "checked")
    return current.slot


def shown(settings: Settings, role: str = "analyst") -> tuple[int, int]:
    """What a reader sees in the two tables, in one statement."""
    query = "select (select answered from marts.fct_calls), (select answered from kpis.kpi_calls_daily)"
    with database.connect(settings, role) as connection:
        return connection.execute(query).fetchone()


@contextmanager
def reading(settings: Settings, query: str = "select answered from marts.fct_calls") -> Iterator[psycopg.Connection]:
    """A reader in the middle of a transaction."""
    with database.connect(settings, "dashboard") as connection:
        connection.execute(query)
        yield connection
        connection.rollback()


def test_builds_go_into_the_slot_nobody_reads_and_publishing_turns_readers_to_it(centre: Settings) -> None:
    assert publish.target_slot(centre) == "a"
    publish.publish(centre, build(centre, 1), as_of=MONDAY)
    assert shown(centre) == (1, 1)
    assert publish.target_slot(centre) == "b"
    assert build(centre, 2) == "b"
    assert shown(centre) == (1, 1), "a build alone changes nothing for readers"
    publish.publish(centre, "b", as_of=MONDAY)
    assert shown(centre) == shown(centre, "dashboard") == (2, 2)
    assert publish.target_slot(centre) == "a"


def test_readers_see_when_and_as_of_what_the_numbers_are(centre: Settings) -> None:
    publish.publish(centre, build(centre, 1), as_of=MONDAY.replace(tzinfo=UTC))
    with database.connect(centre, "dashboard") as connection:
        columns = "as_of_at, slot, sources, checks, length(definitions), published_at > now() - interval '1 minute'"
        assert connection.execute(f"select {columns} from kpis.publication").fetchall() == [
            (MONDAY, "a", "asterisk", "", 12, True)
        ]


def test_an_unchecked_build_is_not_published(centre: Settings) -> None:
    publish.publish(centre, build(centre, 1), as_of=MONDAY)
    slot = build(centre, 2, checked=False)
    with pytest.raises(KefuError, match="has not passed its check"):
        publish.publish(centre, slot, as_of=MONDAY)
    assert shown(centre) == (1, 1)


def test_a_slot_the_last_build_did_not_go_into_is_not_published(centre: Settings) -> None:
    with pytest.raises(KefuError, match="not in slot b"):
        publish.publish(centre, "b", as_of=MONDAY)
    build(centre, 1)
    with pytest.raises(KefuError, match="not in slot b"):
        publish.publish(centre, "b", as_of=MONDAY)
    with pytest.raises(KefuError, match="no slot 'c'"):
        publish.publish(centre, "c", as_of=MONDAY)


def test_an_empty_slot_is_not_published(centre: Settings) -> None:
    current = control.begin_build(centre, "a")
    control.mark(centre, current, "checked")
    with pytest.raises(KefuError, match="Slot a is empty"):
        publish.publish(centre, "a", as_of=MONDAY)


def test_publishing_twice_is_publishing_once(centre: Settings) -> None:
    slot = build(centre, 1)
    first = publish.publish(centre, slot, as_of=MONDAY)
    again = publish.publish(centre, slot, as_of=MONDAY)
    assert again.id == first.id
    with database.connect(centre) as connection:
        assert connection.execute("select count(*) from control.publications").fetchone() == (1,)


def test_publishing_again_repairs_views_somebody_dropped(centre: Settings) -> None:
    slot = build(centre, 1)
    publish.publish(centre, slot, as_of=MONDAY)
    with database.connect(centre) as connection:
        connection.execute("drop view marts.fct_calls")
    publish.publish(centre, slot, as_of=MONDAY)
    assert shown(centre) == (1, 1)


def test_a_reader_sees_all_old_or_all_new_and_never_an_error(centre: Settings) -> None:
    publish.publish(centre, build(centre, 1), as_of=MONDAY)
    seen: set[tuple[int, int]] = set()
    errors: list[Exception] = []
    done = threading.Event()

    def read(in_one_statement: bool) -> None:
        with database.connect(centre, "dashboard", autocommit=in_one_statement) as connection:
            try:
                while not done.is_set():
                    if in_one_statement:
                        query = "select f.answered, k.answered from marts.fct_calls f, kpis.kpi_calls_daily k"
                        seen.add(connection.execute(query).fetchone())
                    else:  # the other way round, with time in between: a deadlock if publication were careless
                        two = connection.execute("select answered from kpis.kpi_calls_daily").fetchone()
                        time.sleep(0.002)
                        one = connection.execute("select answered from marts.fct_calls").fetchone()
                        connection.commit()
                        seen.add((one[0], two[0]))
            except Exception as error:
                errors.append(error)

    readers = [threading.Thread(target=read, args=(number % 2 == 0,)) for number in range(4)]
    for reader in readers:
        reader.start()
    for number in range(2, 12):
        # Every other build has other columns, so that the views have to be dropped and made anew.
        columns = "1 as extra" if number % 2 else "'x' as other, 2 as extra"
        publish.publish(centre, build(centre, number, columns=columns), as_of=MONDAY)
    done.set()
    for reader in readers:
        reader.join()
    assert not errors
    assert {one for one, two in seen if one != two} == set()
    assert len(seen) > 3


def test_columns_come_go_and_change_and_readers_keep_their_rights(centre: Settings) -> None:
    publish.publish(centre, build(centre, 1, columns="1 as extra"), as_of=MONDAY)
    for number, columns in enumerate(("1 as extra, 2 as more", "'text' as extra", "2 as more, 1 as extra"), 2):
        publish.publish(centre, build(centre, number, columns=columns), as_of=MONDAY)
        with database.connect(centre, "analyst") as connection:
            cursor = connection.execute("select * from marts.fct_calls")
            assert cursor.fetchone()[0] == number
            names = [part.split(" as ")[1] for part in columns.split(", ")]
            assert [column.name for column in cursor.description] == ["answered", "source", *names]


def test_what_is_granted_on_a_view_survives_its_being_made_anew(centre: Settings) -> None:
    publish.publish(centre, build(centre, 1), as_of=MONDAY)
    with database.connect(centre) as connection:
        connection.execute("grant select on marts.fct_calls to loader; grant usage on schema marts to loader")
    publish.publish(centre, build(centre, 2, columns="'x' as other"), as_of=MONDAY)
    with database.connect(centre, "loader") as connection:
        assert connection.execute("select answered from marts.fct_calls").fetchone() == (2,)


def test_readers_may_not_look_behind_the_views(centre: Settings) -> None:
    publish.publish(centre, build(centre, 1), as_of=MONDAY)
    for table in ("marts_a.fct_calls", "control.publications"):
        with database.connect(centre, "analyst") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"select * from {table}")


def test_analysts_find_the_documentation_of_tables_and_columns(centre: Settings) -> None:
    for number in (1, 2):
        publish.publish(centre, build(centre, number), as_of=MONDAY)
        query = """
            select obj_description('marts.fct_calls'::regclass), col_description('marts.fct_calls'::regclass, 1),
                col_description('marts.fct_calls'::regclass, 2)
        """
        with database.connect(centre, "analyst") as connection:
            assert connection.execute(query).fetchone() == (
                f"One row per build; build {number}.",
                f"Answered in build {number}.",
                None,
            )


def test_a_table_that_is_no_longer_built_is_no_longer_seen(centre: Settings) -> None:
    slot = build(centre, 1)
    with database.connect(centre) as connection:
        connection.execute(f"create table marts_{slot}.fct_gone as select 1 as one")
        connection.execute(f"create table marts_{slot}.fct_half__dbt_tmp as select 1 as one")
    publish.publish(centre, slot, as_of=MONDAY)
    query = "select table_name from information_schema.views where table_schema = 'marts' order by 1"
    with database.connect(centre) as connection:
        assert connection.execute(query).fetchall() == [("fct_calls",), ("fct_gone",)]
    publish.publish(centre, build(centre, 2), as_of=MONDAY)
    with database.connect(centre) as connection:
        assert connection.execute(query).fetchall() == [("fct_calls",)]


def test_views_built_on_ours_are_kept_when_columns_change(centre: Settings) -> None:
    publish.publish(centre, build(centre, 1), as_of=MONDAY)
    with database.connect(centre) as connection:
        connection.execute("create view staging.team as select answered * 10 as answered from marts.fct_calls")
        connection.execute("create view staging.report as select answered + 1 as answered from staging.team")
        connection.execute("comment on view staging.report is 'For the board.'")
        connection.execute("grant usage on schema staging to analyst; grant select on staging.report to analyst")
    publish.publish(centre, build(centre, 2, columns="'x' as other"), as_of=MONDAY)
    with database.connect(centre, "analyst") as connection:
        assert connection.execute("select answered from staging.report").fetchone() == (21,)
        comment = connection.execute("select obj_description('staging.report'::regclass)").fetchone()
        assert comment == ("For the board.",)


def test_a_view_that_does_not_fit_any_more_stops_publication_with_its_name(centre: Settings) -> None:
    publish.publish(centre, build(centre, 1), as_of=MONDAY)
    with database.connect(centre) as connection:
        connection.execute("create view staging.report as select extra from marts.fct_calls")
    with pytest.raises(KefuError, match=r"staging\.report.*does not fit any more"):
        publish.publish(centre, build(centre, 2, columns="'x' as other"), as_of=MONDAY)
    assert shown(centre) == (1, 1)


def test_somebody_elses_view_stops_publication_with_its_name(centre: Settings) -> None:
    publish.publish(centre, build(centre, 1), as_of=MONDAY)
    with database.connect(centre, "admin") as connection:
        connection.execute("create schema theirs; create view theirs.report as select extra from marts.fct_calls")
    with pytest.raises(KefuError, match=r"theirs\.report"):
        publish.publish(centre, build(centre, 2, columns="'x' as other"), as_of=MONDAY)
    assert shown(centre) == (1, 1)


def test_rollback_shows_again_what_was_seen_before(centre: Settings) -> None:
    first = publish.publish(centre, build(centre, 1), as_of=MONDAY)
    publish.publish(centre, build(centre, 2), as_of=MONDAY + timedelta(days=1))
    back = publish.rollback(centre)
    assert shown(centre) == (1, 1)
    assert (back.slot, back.as_of_at, back.restores) == ("a", MONDAY, first.id)
    assert str(back) == "readers see publication 3, which brings back 1: slot a, build 1, as of 2026-03-02 16:00:00Z"
    with database.connect(centre, "analyst") as connection:
        assert connection.execute("select slot, as_of_at from kpis.publication").fetchall() == [("a", MONDAY)]
    assert publish.target_slot(centre) == "b", "the next build replaces the one that was taken back"


def test_what_was_rolled_back_can_be_published_again(centre: Settings) -> None:
    publish.publish(centre, build(centre, 1), as_of=MONDAY)
    publish.publish(centre, build(centre, 2), as_of=MONDAY)
    publish.rollback(centre)
    publish.publish(centre, "b", as_of=MONDAY)
    assert shown(centre) == (2, 2)


def test_there_is_one_step_back_and_the_message_says_why_there_is_none(centre: Settings) -> None:
    with pytest.raises(KefuError, match="nothing has been published"):
        publish.rollback(centre)
    publish.publish(centre, build(centre, 1), as_of=MONDAY)
    with pytest.raises(KefuError, match="is the first"):
        publish.rollback(centre)
    publish.publish(centre, build(centre, 2), as_of=MONDAY)
    publish.rollback(centre)
    with pytest.raises(KefuError, match="is itself a roll-back"):
        publish.rollback(centre)
    assert shown(centre) == (1, 1)


def test_nobody_is_rolled_back_to_a_slot_a_build_has_begun_to_overwrite(centre: Settings) -> None:
    publish.publish(centre, build(centre, 1), as_of=MONDAY)
    publish.publish(centre, build(centre, 2), as_of=MONDAY)
    build(centre, 3, checked=False)
    with pytest.raises(KefuError, match="begun to overwrite slot a"):
        publish.rollback(centre)
    assert shown(centre) == (2, 2)


def test_status_says_what_readers_see_and_what_a_rollback_would_bring_back(centre: Settings) -> None:
    status = publish.status(centre)
    assert (status.current, status.target, status.rollback_to) == (None, "a", None)
    publish.publish(centre, build(centre, 1), as_of=MONDAY)
    publish.publish(centre, build(centre, 2), as_of=MONDAY + timedelta(days=1))
    status = publish.status(centre)
    assert (status.current.slot, status.current.as_of_at, status.target) == ("b", MONDAY + timedelta(days=1), "a")
    assert status.rollback_to.as_of_at == MONDAY
    build(centre, 3)
    assert publish.status(centre).rollback_to is None
    assert "overwrite" in publish.status(centre).no_rollback


def test_a_long_query_delays_publication_and_nobody_is_cancelled(centre: Settings) -> None:
    publish.publish(centre, build(centre, 1), as_of=MONDAY)
    slot = build(centre, 2)
    with reading(centre) as reader:
        threading.Timer(1.5, reader.rollback).start()
        publication = publish.publish(centre, slot, as_of=MONDAY)
        assert 1 < publication.seconds < 10
        reader.execute("select 1")
    assert shown(centre) == (2, 2)


def test_a_query_that_never_ends_is_named_and_readers_keep_what_they_saw(centre: Settings) -> None:
    publish.publish(centre, build(centre, 1), as_of=MONDAY)
    slot = build(centre, 2)
    with reading(centre) as reader:
        with pytest.raises(KefuError, match="Readers were in the way") as raised:
            publish.publish(centre, slot, as_of=MONDAY, patience=1)
        assert f"process {reader.info.backend_pid} of dashboard" in str(raised.value)
        assert shown(centre) == (1, 1), "others read on meanwhile"
    publish.publish(centre, slot, as_of=MONDAY)
    assert shown(centre) == (2, 2)


def test_two_publications_at_once_are_refused(centre: Settings) -> None:
    slot = build(centre, 1)
    with database.connect(centre) as other:
        other.execute("select pg_advisory_lock(%s)", [publish._PUBLISHING])
        with pytest.raises(KefuError, match="Another publication is under way"):
            publish.publish(centre, slot, as_of=MONDAY)


KILLED = """
import sys
from datetime import datetime
from pathlib import Path
from kefu import publish
from kefu.settings import load_settings

settings = load_settings(Path(sys.argv[1]), Path(sys.argv[2]))
warehouse = settings.warehouse.model_copy(update={"database": sys.argv[3]})
record = publish._insert

def dawdle(*arguments):
    done = record(*arguments)
    print("turned", flush=True)
    sys.stdin.read()
    return done

publish._insert = dawdle
publish.publish(settings.model_copy(update={"warehouse": warehouse}), sys.argv[4], as_of=datetime(2026, 3, 3))
"""


def test_a_publication_killed_before_it_ends_leaves_the_old_numbers(centre: Settings, tmp_path: Path) -> None:
    publish.publish(centre, build(centre, 1), as_of=MONDAY)
    slot = build(centre, 2, columns="'x' as other")
    program = tmp_path / "publish.py"
    program.write_text(KILLED)
    arguments = [str(centre.config), str(centre.home), centre.warehouse.database, slot]
    with subprocess.Popen(
        [sys.executable, str(program), *arguments], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "turned\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert shown(centre) == (1, 1)
    assert publish.status(centre).current.slot == "a"
    publish.publish(centre, slot, as_of=MONDAY)
    assert shown(centre) == (2, 2)
