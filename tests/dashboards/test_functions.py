"""How a number is written: the SQL functions that the models and the tiles share."""

from __future__ import annotations

import pytest

from kefu import warehouse as warehouses
from kefu.dashboards import functions_sql
from kefu.settings import Settings


@pytest.fixture(scope="module")
def base(new_warehouse: object) -> Settings:
    """A prepared warehouse."""
    settings = new_warehouse()  # type: ignore[operator]
    assert isinstance(settings, Settings)
    return settings


def value(settings: Settings, expression: str) -> object:
    """What the role behind the charts gets for an expression."""
    with warehouses.connect(settings, "dashboard") as connection:
        row = connection.execute(f"select {expression}".encode()).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("number", "unit", "english", "chinese"),
    [
        ("0.72449", "percent", "72.4%", "72.4%"),
        ("0", "percent", "0.0%", "0.0%"),
        ("1", "percent", "100.0%", "100.0%"),
        ("23.4", "seconds", "23 s", "23 秒"),
        ("99.6", "seconds", "1.7 min", "1.7 分钟"),
        ("5400", "seconds", "90.0 min", "90.0 分钟"),
        ("16560", "seconds", "4.6 h", "4.6 小时"),
        ("345600", "seconds", "4.0 days", "4.0 天"),
        ("1204", "count", "1,204", "1,204"),
        ("31.54", "points", "31.5", "31.5"),
        ("-2.2", "points", "−2.2", "−2.2"),
        ("0.8126", "score", "0.813", "0.813"),
        ("0.364", "ratio", "0.36", "0.36"),
    ],
)
def test_a_value_is_written_with_its_unit_in_the_readers_language(
    base: Settings, number: str, unit: str, english: str, chinese: str
) -> None:
    assert value(base, f"kpis.show_value({number}, '{unit}', 'en')") == english
    assert value(base, f"kpis.show_value({number}, '{unit}', 'zh')") == chinese


def test_nothing_known_is_nothing_shown(base: Settings) -> None:
    assert value(base, "kpis.show_value(null, 'percent', 'en')") is None
    assert value(base, "kpis.show_range(0.1, null, 'percent', 'en')") is None


def test_an_interval_has_both_its_ends(base: Settings) -> None:
    assert value(base, "kpis.show_range(0.714, 0.735, 'percent', 'en')") == "71.4% – 73.5%"


@pytest.mark.parametrize(
    ("number", "place"), [("0.5", 100), ("0", 0), ("1", 200), ("-3", 0), ("7", 200), ("null", None)]
)
def test_a_place_stays_on_its_line(base: Settings, number: str, place: float | None) -> None:
    assert value(base, f"kpis.place({number}, 0, 1)") == place


def test_a_line_without_length_has_no_places(base: Settings) -> None:
    assert value(base, "kpis.place(1, 2, 2)") is None


def test_the_functions_may_be_made_again(base: Settings) -> None:
    with warehouses.connect(base, "admin") as connection:
        connection.execute(functions_sql().encode())
