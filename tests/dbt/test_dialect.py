"""One SQL, two engines: models keep to what Postgres and Spark read alike, and the lint that says so can fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dialect
import jinja2
import judge
import neutral
import pytest
import sqlglot

from kefu.settings import load_settings
from kefu.sources import kinds

SPARK = {"kf_text": "string", "kf_double": "double"}
Compiled = tuple[dict[str, Any], dict[str, list[str]]]


# --- the project -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """The manifest, and the text of every model and test with the engine's macros as calls."""
    folder = tmp_path_factory.mktemp("neutral")
    (folder / "kefu.toml").write_text('[warehouse]\nhost = "localhost"\n', encoding="utf-8")
    (folder / ".env").write_text("KEFU_TRANSFORMER_PASSWORD=not-needed-to-compile\n", encoding="utf-8")
    return neutral.compiled(load_settings(folder / "kefu.toml", folder / "home"), folder / "project")


@pytest.mark.slow
def test_models_and_tests_from_staging_on_are_in_the_dialect_of_both_engines(compiled: Compiled, project: Path) -> None:
    manifest, texts = compiled
    raw_keys = {f"{kind.name}.{table.name}": table.key for kind in kinds().values() for table in kind.tables}
    found = judge.findings(manifest, texts, raw_keys, neutral.words_of_spark(project / "dbt_project"))
    assert not found, "\n" + "\n".join(map(str, found))


@pytest.mark.slow
def test_nothing_that_is_judged_is_left_out(compiled: Compiled, project: Path) -> None:
    manifest, texts = compiled
    judged = {
        node["original_file_path"]
        for id_, node in manifest["nodes"].items()
        if judge.is_judged(manifest, node) and texts.get(id_)
    }
    folder = project / "dbt_project"
    written = {
        str(path.relative_to(folder))
        for path in (*(folder / "models").rglob("*.sql"), *(folder / "tests").glob("*.sql"))
    }
    kept = {
        node["original_file_path"]
        for node in manifest["nodes"].values()
        if not judge.is_judged(manifest, node) and node["original_file_path"].endswith(".sql")
    }
    assert written - kept <= judged
    assert all(path.startswith(("models/kpis/", "tests/", "analyses/")) for path in kept & written)


@pytest.mark.slow
def test_only_what_feeds_dashboards_stays_on_postgres(compiled: Compiled) -> None:
    manifest, _ = compiled
    models = {id_: node for id_, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    kept = {id_ for id_, node in models.items() if judge.is_of_postgres(node)}
    assert kept
    assert {models[id_]["original_file_path"] for id_ in kept if Path(models[id_]["path"]).parts[0] != "kpis"} == set()
    assert {node["config"].get("meta", {}).get("engine") for node in models.values()} == {None, "postgres"}
    readers = {
        node["name"] for id_, node in models.items() if id_ not in kept and kept & set(node["depends_on"]["nodes"])
    }
    assert readers == set(), "what Spark builds cannot read what only Postgres has"


@pytest.mark.slow
def test_types_of_contracts_and_seeds_are_those_both_engines_have(compiled: Compiled) -> None:
    assert judge.contract_findings(compiled[0]) == []


# --- the rules: each with what it must find, and nothing else -------------------------------------------------------

COLUMNS = dialect.Columns(
    never_null=frozenset({"sequence", "event_id", "ticket_id", "occurred_at"}),
    keys=dialect.Columns().keys | {frozenset({"event_id"}), frozenset({"service_date", "team_id"})},
)

BAD = {
    # functions
    "select to_char(a, 'x') as b from t": "function to_char()",
    "select concat(a, b) as c from t": "function concat()",
    "select upper(a) as b from t": "function upper()",
    "select initcap(a) as b from t": "function initcap()",
    "select regexp_replace(a, 'b', 'c') as d from t": "function regexp_replace()",
    "select kpis.show_value(a) as b from t": "function kpis.show_value()",
    "select extract(epoch from created_at) as a from t": "function extract()",
    "select date_part('hour', created_at) as a from t": "function date_part()",
    "select now() as a": "function now()",
    "select avg(a) as b from t": "function avg()",
    "select round(a, 2) as b from t": "function round()",
    "select string_agg(a, ',' order by a nulls last) as b from t": "function string_agg()",
    "select array_agg(a order by a nulls last) as b from t": "function array_agg()",
    "select unnest(a) as b from t": "function unnest()",
    "select a from generate_series(1, 3) as g (a)": "function generate_series()",
    "select jsonb_array_elements(a) as b from t": "function jsonb_array_elements()",
    "select percentile_disc(0.5) within group (order by a) as b from t": "function percentile_disc()",
    "select a from (values (1)) as v (a)": "function values()",
    "select a, count(*) as b from t group by grouping sets ((a), ())": "function grouping sets()",
    # operators
    "select a::bigint as b from t": "operator ::",
    "select a / b as c from t": "operator /",
    "select a % b as c from t": "operator %",
    "select a ~ 'b' as c from t": "operator ~",
    "select a ->> 'b' as c from t": "operator ->>",
    "select a #>> '{b}' as c from t": "operator #>>",
    "select a @> b as c from t": "operator @>",
    "select a[1] as b from t": "operator [",
    "select array[a] as b from t": "operator [",
    # words
    "select current_date as a": "current_date",
    "select current_timestamp as a": "current_timestamp",
    "select created_at + interval '1 day' as a from t": "interval",
    "with recursive a as (select 1 as b union all select b + 1 from a) select b from a": "recursive",
    "select a.b from t cross join lateral (select t.c as b) as a": "lateral",
    "select a ilike 'b' as c from t": "ilike",
    # literals
    r"select a like '\d' as b from t": "a backslash in a text",
    r"select kf_matches(a, '\d+') as b from t": "a backslash in a text",
    "select E'a' as b": "a text that is not plain",
    "select $$a$$ as b": "a text that is not plain",
    # names
    'select "a" from t': '"a" in quotes',
    'select a as "b" from t': '"b" in quotes',
    'select b.a from "db"."marts"."t" as "b"': '"b" in quotes',
    "select a as user from t": "name user",
    "select a as end from t": "name end",
    "select a as index from t": "name index",
    "select minus.a from t as minus": "name minus",
    "select a as createdAt from t": "name createdAt",
    f"select a as {'a' * 64} from t": f"name {'a' * 64}",
    # types
    "select cast(a as text) as b from t": "type text",
    "select cast(a as varchar) as b from t": "type varchar",
    "select cast(a as char(2)) as b from t": "type char(2)",
    "select cast(a as timestamptz) as b from t": "type timestamptz",
    "select cast(a as timestamp with time zone) as b from t": "type timestamptz",
    "select cast(a as double precision) as b from t": "type double precision",
    "select cast(a as float) as b from t": "type double precision",
    "select cast(a as real) as b from t": "type real",
    "select cast(a as jsonb) as b from t": "type jsonb",
    "select cast(a as numeric) as b from t": "type decimal",
    "select cast(a as decimal(18)) as b from t": "type decimal(18)",
    "select cast(a as decimal(20, 2)) as b from t": "type decimal(20, 2)",
    "select cast(a as mood) as b from t": "type mood",
    "select sum(a) as b from t": "sum() without a type",
    "select coalesce(sum(a), 0) as b from t": "sum() without a type",
    "select cast(sum(a) as kf_double) as b from t": "sum() without a type",
    "select a from t group by a having sum(b) > 0": "sum() without a type",
    # single constructs
    "select distinct on (a) a, b from t": "distinct on",
    "select created_at at time zone 'UTC' as a from t": "at time zone",
    "select substring(a from 0 for 2) as b from t": "substring from 0",
    "select substring(a, -1) as b from t": "substring from -1",
    "select date_trunc('year', created_at) as a from t": "date_trunc('year')",
    "select due_date - t.service_date as a from t": "date minus date (due_date - t.service_date)",
    "select max(due_date) - cast(a as date) as b from t": "date minus date (MAX(due_date) - CAST(a AS DATE))",
    "select ended_at - started_at as a from t": "timestamp minus timestamp (ended_at - started_at)",
    "select ended_at - kf_utc(a) as b from t": "timestamp minus timestamp (ended_at - KF_UTC(a))",
    "select a from t limit 1": "limit without order by",
    # order
    "select a from t order by a": "order by a: nulls first on one engine, last on the other",
    "select a from t order by a desc": "order by a: nulls first on one engine, last on the other",
    "select a, b from t order by 1": "order by 1: nulls first on one engine, last on the other",
    "select rank() over (partition by a order by b) as c from t": (
        "order by b: nulls first on one engine, last on the other"
    ),
    "select row_number() over (partition by ticket_id order by occurred_at) as a from t": (
        "ties left to chance (order by occurred_at)"
    ),
    "select row_number() over (partition by ticket_id order by event_id, occurred_at) as a from t": (
        "ties left to chance (order by event_id, occurred_at)"
    ),
    "select row_number() over (partition by event_id order by occurred_at) as a from t": (
        "ties left to chance (order by occurred_at)"
    ),
    "select lag(a) over w as b from t window w as (partition by ticket_id order by occurred_at)": (
        "ties left to chance (order by occurred_at)"
    ),
    "select first_value(a) over (partition by ticket_id order by coalesce(b, 0) nulls last) as c from t": (
        "ties left to chance (order by coalesce(b, 0))"
    ),
    "select cast(sum(a) over (partition by team_id order by occurred_at"
    " rows between unbounded preceding and current row) as bigint) as b from t": (
        "ties left to chance (order by occurred_at)"
    ),
    "with a as (select b, c from t union all select b, c from u)"
    " select lag(b) over (partition by b order by c nulls last) as d from a": "ties left to chance (order by c)",
    "with a as (select b, c from t group by b, c, d)"
    " select lag(b) over (partition by b order by c nulls last) as e from a": "ties left to chance (order by c)",
    "with a as (select b, row_number() over (partition by b, c order by event_id) as n from t)"
    " select lag(b) over (partition by b order by n) as d from a": "ties left to chance (order by n)",
    "with a as (select b, kf_hour(c) as d,"
    " row_number() over (partition by b, kf_hour(c) order by event_id) as n from t)"
    " select lag(b) over (partition by b order by d nulls last) as e from a where n <= 2": (
        "ties left to chance (order by d)"
    ),
    "select row_number() over (order by event_id) as a from t": "a window without partition by",
    "select max(a) over () as b from t": "a window without partition by",
    "select row_number() over (partition by a) as b from t": "a numbering without order by",
    "select count(*) over (partition by ticket_id order by sequence) as a from t": "a running total without a frame",
    "select count(*) over (partition by ticket_id order by sequence"
    " range between unbounded preceding and current row) as a from t": "a window frame of range",
    "select count(*) over w as a from t window w as (partition by ticket_id order by sequence"
    " groups between 1 preceding and current row)": "a window frame of groups",
    "select min(a) filter (where b) over (partition by c) as d from t": "filter of a window",
    # what does not parse
    "select from where": "no query to Postgres",
}


@pytest.mark.parametrize("sql", BAD)
def test_what_the_engines_read_differently_is_found(sql: str) -> None:
    (hit,) = dialect.hits(sql, COLUMNS, SPARK)
    assert hit.construct.startswith(BAD[sql]) if BAD[sql].startswith("no query") else hit.construct == BAD[sql]
    assert hit.instead


GOOD = [
    'select t.a, count(*) as b from "db"."staging"."t" as t group by 1',
    'select a from "db"."raw_zendesk"."groups" union all select b from "db"."raw"."user"',
    "with a as (select b from t) select a.b from a left join u on a.b = u.b union all select c from v",
    "select cast(null as kf_text) as a, cast(b as kf_double) as c, cast(d as decimal(18, 6)) as e from t",
    "select cast(a as decimal(38, 0)) as b, cast(a as timestamp) as c, cast(a as integer) as d from t",
    "select kf_sum(a) as b, cast(sum(c) as bigint) as d from t",
    "select cast(coalesce(sum(a) filter (where b), 0) as decimal(18, 2)) as c from t",
    "select kf_ratio(kf_count_if(a and b = 'c'), count(*), 4) as d from t",
    "select coalesce(nullif(a, ''), lower(b), split_part(c, '-', 1), md5(d)) || '换' as e from t",
    "select min(a) filter (where b) as c, bool_or(d) as e, count(distinct f) as g from t",
    "select a from t where (a, b) in (select c, d from u) and exists (select 1 from v)",
    "select percentile_cont(0.5) within group (order by a) as b from t",
    "select row_number() over (partition by ticket_id order by occurred_at, event_id desc) as a from t",
    "select row_number() over (partition by ticket_id order by a desc nulls last, sequence) as b from t",
    "select row_number() over (partition by a order by team_id nulls first, service_date nulls last) as b from t",
    "select lag(a) over w as b, max(c) over (partition by d) as e from t"
    " window w as (partition by ticket_id order by sequence)",
    "select dense_rank() over (partition by a order by b nulls last) as c from t",
    # what the query itself makes unique, or never null
    "with a as (select b, c, min(d) as e from t group by 1, c)"
    " select lag(e) over (partition by b order by c nulls last) as f from a",
    "with a as (select b, c from t union select b, c from u)"
    " select lag(b) over (partition by b order by c nulls last) as d from a",
    "with a as (select distinct b, c from t) select lag(b) over (partition by b order by c nulls last) as d from a",
    "with a as (select *, row_number() over (partition by b order by event_id) as n from t)"
    " select lag(c) over (partition by b order by n) as d from a where c is not null",
    "with a as (select b, kf_hour(c) as d,"
    " row_number() over (partition by b, kf_hour(c) order by event_id) as n from t)"
    " select lag(b) over (partition by b order by d nulls last) as e from a where n = 1 and d > 2",
    "with a as (select b, kf_hour(c) as d,"
    " row_number() over (partition by b, kf_hour(c) order by event_id) as n from t)"
    " select lag(b) over (partition by b order by d nulls last) as e from a where n <= 1",
    "select cast(sum(a) over (partition by t.team_id order by t.service_date nulls last"
    " rows between unbounded preceding and current row) as bigint) as b from t",
    "select a from t order by a nulls last, event_id limit 3",
    "select substring(a from 1 for 2) as b, substring(c from length(d) + 2) as e, lpad(f, 5, '0') as g from t",
    "select kf_days_between(service_date, due_date) as a, kf_epoch(ended_at) - kf_epoch(started_at) as b from t",
    "select date_trunc('week', created_at) as a, a is distinct from b as c, not (d or e) as f from t",
    "select case a when 'b' then 1 else -1 end as c from t where a between 'c' and 'd' and e like '%f%'",
]


@pytest.mark.parametrize("sql", GOOD)
def test_what_both_engines_read_alike_passes(sql: str) -> None:
    assert dialect.hits(sql, COLUMNS, SPARK) == []


def test_what_only_postgres_parses_is_found_even_if_no_rule_knows_it() -> None:
    (hit,) = dialect.hits("select cast(a as kf_mood) as b from t", COLUMNS, SPARK)
    assert hit.construct.startswith("no query to Spark")


def test_every_rule_is_proved_by_something_it_finds() -> None:
    for rule in dialect.RULES:
        proved = False
        for sql in BAD:
            try:
                tokens, tree = tuple(sqlglot.tokenize(sql, read="postgres")), sqlglot.parse_one(sql, read="postgres")
            except sqlglot.errors.ParseError:
                continue
            proved = proved or bool(list(rule(dialect.Query(tokens, tree, COLUMNS))))
        assert proved, rule.__name__


def test_a_finding_names_the_line_of_the_models_file_where_it_can() -> None:
    loop = "    {%- for c in d %}\n    c,\n    {%- endfor %}\n"
    source = "{{ config() }}\nselect\n    {{ kf_epoch('a') }} as b,\n" + loop + "    x::int\nfrom t\n"
    text = "\nselect\n    kf_epoch(a) as b,\n    c,\n    c,\n    c,\n    x::int\nfrom t\n"
    lines = judge.source_lines(source, text)
    assert (lines[3], lines[7], lines[8]) == (3, 7, 8)
    hit = dialect.Hit(7, "operator ::", "cast(x as type)")
    assert str(judge.Finding("m", "models/m.sql", 7, True, hit)) == (
        "m (models/m.sql:7): operator ::; write cast(x as type)"
    )
    assert "(compiled models/m.sql:7)" in str(judge.Finding("m", "models/m.sql", 7, False, hit))


# --- the engine's macros ---------------------------------------------------------------------------------------------


def engine_files() -> list[Path]:
    return sorted((Path(__file__).resolve().parents[2] / "dbt_project" / neutral.ENGINE).glob("*.sql"))


def rendered(path: Path, name: str, **others: Any) -> str:
    """What a macro of a file writes when its arguments are columns called after them."""
    macro = neutral.macros(path)[name]
    arguments = {
        argument: {"digits": "4", "pattern": "^[0-9]+$", "key": "call_id"}.get(argument, f"t.{argument}")
        for argument in macro.arguments
    }
    template = jinja2.Environment(autoescape=False).from_string(path.read_text(encoding="utf-8"), others)
    return str(getattr(template.module, name)(**arguments)).strip()


SPARKS = [(path, name) for path in engine_files() for name in neutral.macros(path) if name.startswith(neutral.SPARK)]


@pytest.mark.parametrize(("path", "name"), SPARKS, ids=[name for _, name in SPARKS])
def test_sparks_form_of_a_macro_parses_as_spark_and_has_the_signature_of_postgres(path: Path, name: str) -> None:
    found = neutral.macros(path)
    postgres = found[neutral.POSTGRES + name.removeprefix(neutral.SPARK)]
    assert found[name].arguments == postgres.arguments
    form = rendered(path, name)
    if form == "as":  # of a common table expression
        assert sqlglot.parse_one(f"with t {form} (select 1 as a) select a from t", read="spark")
        return
    shown = f"cast(t.a as {form})" if not postgres.arguments else form
    query = sqlglot.parse_one(f"select {shown} as b from t", read="spark")
    assert len(list(query.find_all(sqlglot.exp.Alias))) == 1


def test_a_macro_without_an_engines_own_form_is_itself_in_the_dialect() -> None:
    """What kf_ratio and kf_round are for, they alone may write."""
    divided = {"operator /", "function round()"}
    theirs = {"kf_ratio": divided, "kf_share": divided, "kf_round": {"function round()"}}
    seen = set()
    for path in engine_files():
        names = neutral.macros(path)
        for name in names:
            common = not name.startswith((neutral.POSTGRES, neutral.SPARK)) and neutral.POSTGRES + name not in names
            if common:
                others = {
                    "kf_epoch": lambda value: f"kf_epoch({value})",
                    "ref": lambda model: f'"db"."staging"."{model}"',
                }
                found = dialect.hits(f"select {rendered(path, name, **others)} as a from t", COLUMNS, SPARK)
                assert {hit.construct for hit in found} == theirs.get(name, set()), name
                seen.add(name)
    assert set(theirs) < seen


def test_of_a_hint_to_one_engine_the_stub_leaves_only_what_both_read(tmp_path: Path) -> None:
    path = tmp_path / "kf_as.sql"
    path.write_text("{% macro postgres__kf_as() -%}as materialized{%- endmacro %}{% macro kf_as() %}x{% endmacro %}")
    assert "kf_as() -%}as{%-" in neutral.stubs(path)


def test_a_stub_has_the_signature_of_its_macro_and_writes_its_call(tmp_path: Path) -> None:
    path = tmp_path / "kf_many.sql"
    path.write_text(
        "{% macro kf_many(a, b='c', d=none) -%}{{ return(adapter.dispatch('kf_many')(a, b, d)) }}{%- endmacro %}\n"
        "{% macro postgres__kf_many(a, b='c', d=none) -%}({{ a }} ~ '{{ b }}'){%- endmacro %}\n"
        "{% macro kf_kind() -%}{{ return(adapter.dispatch('kf_kind')()) }}{%- endmacro %}\n"
        "{% macro postgres__kf_kind() -%}text{%- endmacro %}\n"
        "{% macro kf_rows(relation) -%}\n    select 1 from {{ relation }}\n{%- endmacro %}\n",
        encoding="utf-8",
    )
    module: Any = jinja2.Environment(autoescape=False).from_string(neutral.stubs(path)).module
    assert module.kf_many("x") == "kf_many(x, 'c', null)"
    assert module.kf_many("x", "y", 3) == "kf_many(x, 'y', 3)"
    assert module.kf_kind() == "kf_kind"
    assert module.kf_rows("t") == "select kf_rows(t) as kf_rows"
