"""The dialect both engines read alike, Postgres and Spark SQL, as rules over the compiled text of the models.

What differs between the engines stands in macros/engine and nowhere else; `neutral` compiles the models so that those
macros are calls. What is left may use the functions, types and operators on the lists below, which mean the same on
both engines, and nothing more. A list grows by a line when a construct has been tried on both; what differs gets a
macro.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import SqlglotError

# --- what may be used ------------------------------------------------------------------------------------------------

AGGREGATES = {"count", "min", "max", "sum", "bool_or", "percentile_cont"}
WINDOW_FUNCTIONS = {"row_number", "rank", "dense_rank", "lag", "lead", "first_value", "last_value"}
SCALARS = {
    "cast", "coalesce", "date_trunc", "greatest", "least", "length", "lower", "lpad", "md5", "nullif", "split_part",
    "substring", "trim",
}  # fmt: skip
FUNCTIONS = AGGREGATES | WINDOW_FUNCTIONS | SCALARS

OPERATORS = {"(", ")", ",", ".", "*", "+", "-", "=", "<>", "<", "<=", ">", ">=", "||"}

TRUNCATIONS = {"DAY", "WEEK", "MONTH"}

TYPES = {"BIGINT", "INT", "BOOLEAN", "DATE", "TIMESTAMP"}
CONTRACT_TYPES = {"text", "bigint", "integer", "boolean", "date", "timestamp", "double precision"}

# --- what to write instead -------------------------------------------------------------------------------------------

INSTEAD_OF_FUNCTIONS = {
    "avg": "kf_ratio(sum, count, digits)",
    "round": "kf_round(x, digits)",
    "extract": "kf_epoch, kf_hour or kf_isodow",
    "date_part": "kf_epoch, kf_hour or kf_isodow",
    "age": "kf_seconds_between or kf_days_between",
    "to_char": "nothing: words for readers are made in kpis on Postgres",
    "now": "build.as_of_at",
    "clock_timestamp": "build.as_of_at",
    "statement_timestamp": "build.as_of_at",
    "transaction_timestamp": "build.as_of_at",
    "generate_series": "kf_date_spine",
    "concat": "||, with coalesce where a part may be null",
    "upper": "lower",
    "initcap": "lower",
    "string_agg": "min, or one row an element",
    "array_agg": "one row an element",
    "unnest": "one row an element",
    "percentile_disc": "percentile_cont",
    "regexp_replace": "kf_matches and split_part",
    "regexp_match": "kf_matches",
    "substr": "substring",
    "left": "substring(x, 1, n)",
    "random": "nothing: same input, same output",
    "floor": "kf_idiv or kf_round",
    "ceil": "kf_idiv or kf_round",
    "ceiling": "kf_idiv or kf_round",
}
INSTEAD_OF_OPERATORS = {
    "::": "cast(x as type)",
    "/": "kf_ratio for a share, kf_idiv for whole numbers",
    "%": "kf_idiv, and subtract",
    "~": "kf_matches",
    "->": "kf_json",
    "->>": "kf_json",
    "#>": "kf_json",
    "#>>": "kf_json",
    "[": "one row an element",
    "!": "<> or not",
    "!=": "<>",
}
INSTEAD_OF_WORDS = {
    "recursive": "a join with a spine: Spark stops at 100 levels",
    "lateral": "a join",
    "interval": "kf_add_seconds or kf_add_days",
    "ilike": "lower(x) like",
    "similar to": "kf_matches",
    "current_date": "build.as_of_at",
    "current_time": "build.as_of_at",
    "current_timestamp": "build.as_of_at",
    "localtime": "build.as_of_at",
    "localtimestamp": "build.as_of_at",
    "current_user": "nothing: same input, same output",
    "session_user": "nothing: same input, same output",
}
INSTEAD_OF_TYPES = {
    "TEXT": "kf_text()",
    "VARCHAR": "kf_text()",
    "CHAR": "kf_text()",
    "NCHAR": "kf_text()",
    "DOUBLE": "kf_double()",
    "FLOAT": "kf_double()",
    "SMALLINT": "integer or bigint",
    "TIMESTAMPTZ": "kf_utc: instants are naive UTC",
    "JSON": "kf_json, in staging",
    "JSONB": "kf_json, in staging",
}

# Reserved by Postgres or by Spark SQL: as a name they would need quotes, and "x" is a text on Spark.
_RESERVED = """
all analyse analyze and anti any array as asc asymmetric authorization between binary both by case cast check
collate collation column concurrently constraint create cross current_catalog current_date current_role
current_schema current_time current_timestamp current_user default deferrable desc distinct do else end escape
except exists false fetch filter for foreign freeze from full grant group having ilike in index initially inner
intersect into is isnull join lateral leading left like limit localtime localtimestamp minus natural not notnull
null offset on only or order outer over overlaps placing primary references returning right select semi
session_user similar some symmetric system_user table tablesample then time to trailing true union unique unknown
user using values variadic verbose when where window with within
"""
RESERVED = frozenset(_RESERVED.split())
LONGEST_NAME = 63

# Before a bracket these are no functions.
SYNTAX = {
    "all", "and", "as", "between", "by", "case", "distinct", "else", "except", "exists", "filter", "from", "group",
    "group by", "having", "in", "intersect", "is", "join", "like", "limit", "not", "on", "or", "order by", "over",
    "partition by", "select", "then", "union", "using", "when", "where",
}  # fmt: skip

# What tells rows apart by the ledger's own rules: the place of an event in its ticket or of a leg in its contact, the
# line of a delivered file.
PLACES = (("ticket_id", "sequence"), ("interaction_id", "sequence"), ("_file", "_line"))

NUMBERING = (exp.RowNumber, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue)
RANKS = (exp.Rank, exp.DenseRank)

# What they make of a date is a date, and of a timestamp a timestamp.
SAME_KIND = (exp.Paren, exp.Coalesce, exp.Min, exp.Max, exp.Least, exp.Greatest, exp.Filter, exp.Window, *NUMBERING)
MOMENTS = {"kf_utc", "kf_local_from_utc", "kf_utc_from_local", "kf_add_seconds", "kf_add_days"}


@dataclass(frozen=True, order=True)
class Hit:
    """A construct that the engines read differently, where it stands in the text, and what to write instead."""

    line: int
    construct: str
    instead: str


@dataclass(frozen=True)
class Columns:
    """What is known of columns by name: which are never null, and which together tell rows apart."""

    never_null: frozenset[str] = frozenset()
    keys: frozenset[frozenset[str]] = frozenset(frozenset(place) for place in PLACES)


@dataclass(frozen=True)
class Query:
    """A compiled text, as Postgres reads it."""

    tokens: tuple[Token, ...]
    tree: exp.Expr
    columns: Columns


def hits(sql: str, columns: Columns, spark_types: Mapping[str, str]) -> list[Hit]:
    """Every breach of the dialect in a neutral compiled text; ``spark_types`` is Spark's word for each type macro."""
    try:
        tree = sqlglot.parse_one(sql, read="postgres")
        query = Query(tuple(sqlglot.tokenize(sql, read="postgres")), tree, own_columns(tree, columns))
    except SqlglotError as error:
        return [Hit(1, f"no query to Postgres ({_first_line(error)})", "what both engines parse")]
    found = {hit for rule in RULES for hit in rule(query)}
    try:
        spark = sqlglot.parse_one(as_spark(sql, query.tokens, spark_types), read="spark")
    except SqlglotError as error:
        if not found:  # else it is most likely what does not parse
            found = {Hit(1, f"no query to Spark ({_first_line(error)})", "what both engines parse")}
    else:
        found |= set(_null_places(query, spark))
    return sorted(found)


def as_spark(sql: str, tokens: tuple[Token, ...], spark_types: Mapping[str, str]) -> str:
    """The text as dbt would write it for Spark: names in backticks, its own words for types."""
    pieces, place = [], 0
    for token in tokens:
        if token.token_type == TokenType.IDENTIFIER:
            written = f"`{token.text}`"
        elif token.text in spark_types:
            written = spark_types[token.text]
        else:
            continue
        pieces += [sql[place : token.start], written]
        place = token.end + 1
    return "".join([*pieces, sql[place:]])


def _first_line(error: SqlglotError) -> str:
    return str(error).splitlines()[0]


# --- rules over the words --------------------------------------------------------------------------------------------


def functions(query: Query) -> Iterator[Hit]:
    """Only functions of the list, and the engine's macros."""
    tokens = query.tokens
    for place, token in enumerate(tokens[:-1]):
        name = token.text.lower()
        if tokens[place + 1].token_type != TokenType.L_PAREN or not _is_word(token):
            continue
        if name in SYNTAX or name in INSTEAD_OF_WORDS:
            continue
        before = tokens[place - 1].token_type if place else None
        if before in (TokenType.ALIAS, TokenType.DCOLON):
            continue  # the type of a cast
        if before == TokenType.DOT:
            owner = tokens[place - 2].text
            yield Hit(token.line, f"function {owner}.{name}()", "SQL: a function of the database is Postgres's own")
        elif name not in FUNCTIONS and not name.startswith("kf_"):
            yield Hit(
                token.line,
                f"function {name}()",
                INSTEAD_OF_FUNCTIONS.get(name, "a function of the list in tests/dbt/dialect.py, or a macro"),
            )


def operators(query: Query) -> Iterator[Hit]:
    """Only operators of the list."""
    for token in query.tokens:
        if token.token_type in LITERALS or _is_word(token) or token.text in OPERATORS:
            continue
        if token.text != "]":
            yield Hit(
                token.line,
                f"operator {token.text}",
                INSTEAD_OF_OPERATORS.get(token.text, "an operator of the list in tests/dbt/dialect.py"),
            )


def words(query: Query) -> Iterator[Hit]:
    """No words that only one engine has, or that look at the clock."""
    for token in query.tokens:
        if token.token_type not in LITERALS and token.text.lower() in INSTEAD_OF_WORDS:
            yield Hit(token.line, token.text.lower(), INSTEAD_OF_WORDS[token.text.lower()])


LITERALS = {
    TokenType.STRING,
    TokenType.NUMBER,
    TokenType.IDENTIFIER,
    TokenType.BYTE_STRING,
    TokenType.HEREDOC_STRING,
    TokenType.UNICODE_STRING,
    TokenType.NATIONAL_STRING,
    TokenType.BIT_STRING,
    TokenType.HEX_STRING,
}


def literals(query: Query) -> Iterator[Hit]:
    """Plain texts only: Spark eats backslashes, and knows no E'…' or $$…$$."""
    for token in query.tokens:
        if token.token_type == TokenType.STRING and "\\" in token.text:
            yield Hit(token.line, "a backslash in a text", "[0-9] and the like; a macro for a pattern")
        elif token.token_type in LITERALS - {TokenType.STRING, TokenType.NUMBER, TokenType.IDENTIFIER}:
            yield Hit(token.line, "a text that is not plain", "'…'")


def _is_word(token: Token) -> bool:
    return token.token_type not in LITERALS and re.fullmatch(r"[\w ]+", token.text) is not None


# --- rules over names and types --------------------------------------------------------------------------------------


def names(query: Query) -> Iterator[Hit]:
    """Names need no quotes on either engine; only dbt's relations, ``"db"."schema"."table"``, have them."""
    for name in query.tree.find_all(exp.Identifier):
        table = name.parent if isinstance(name.parent, exp.Table) else None
        if table is not None and table.args.get("db") is not None and name.arg_key != "alias":
            continue
        if name.quoted:
            yield Hit(_line(name), f'"{name.name}" in quotes', "a name that needs none: on Spark it is a text")
        elif name.name.lower() in RESERVED:
            yield Hit(_line(name), f"name {name.name}", "another: it is reserved")
        elif not re.fullmatch(r"[a-z_][a-z0-9_]*", name.name):
            yield Hit(_line(name), f"name {name.name}", "lower-case letters, digits and underscores")
        elif len(name.name) > LONGEST_NAME:
            yield Hit(_line(name), f"name {name.name}", f"at most {LONGEST_NAME} characters")


def types(query: Query) -> Iterator[Hit]:
    """Types that both engines have under one name; macros name the others."""
    for cast in query.tree.find_all(exp.Cast):
        kind = cast.to
        name = kind.this.name if isinstance(kind.this, exp.DataType.Type) else str(kind.this)
        if name == "USERDEFINED":
            written = str(kind.args["kind"])
            if not written.startswith("kf_"):
                yield Hit(_line(cast), f"type {written}", "a type of the list in tests/dbt/dialect.py")
        elif name in ("DECIMAL", "BIGDECIMAL"):
            digits = [int(part.name) for part in kind.expressions]
            if not is_decimal(*digits):
                yield Hit(_line(cast), f"type {kind.sql('postgres').lower()}", "decimal(p, s) of at most 18 digits")
        elif name not in TYPES:
            instead = INSTEAD_OF_TYPES.get(name, "a type of the list in tests/dbt/dialect.py")
            yield Hit(_line(cast), f"type {kind.sql('postgres').lower()}", instead)


def is_decimal(*digits: int) -> bool:
    """Whether (precision, scale) is exact on both: Spark cuts the scale of what outgrows 38 digits when multiplied."""
    return len(digits) == 2 and digits[0] <= (38 if digits[1] == 0 else 18)


def sums(query: Query) -> Iterator[Hit]:
    """A sum says its type: of bigints Postgres makes a numeric, Spark a bigint."""
    for sum_ in query.tree.find_all(exp.Sum):
        node: exp.Expr | None = sum_.parent
        while isinstance(node, exp.Coalesce | exp.Filter | exp.Window | exp.Paren | exp.Neg):
            node = node.parent
        if not (isinstance(node, exp.Cast) and node.to.this in (exp.DataType.Type.BIGINT, exp.DataType.Type.DECIMAL)):
            yield Hit(_line(sum_), "sum() without a type", "kf_sum(x), or cast(sum(x) as bigint)")


# --- rules over single constructs ------------------------------------------------------------------------------------


def distinct_on(query: Query) -> Iterator[Hit]:
    """One row a key by row_number."""
    for distinct in query.tree.find_all(exp.Distinct):
        if distinct.args.get("on") is not None:
            yield Hit(_line(distinct), "distinct on", "row_number() and where kf_first(…)")


def time_zones(query: Query) -> Iterator[Hit]:
    """Instants are naive UTC; macros know zones."""
    for node in query.tree.find_all(exp.AtTimeZone):
        yield Hit(_line(node), "at time zone", "kf_utc or kf_local_from_utc")


def substrings(query: Query) -> Iterator[Hit]:
    """The first character is number 1; what 0 and less mean differs."""
    for node in query.tree.find_all(exp.Substring):
        start = node.args.get("start")
        if isinstance(start, exp.Neg) or (isinstance(start, exp.Literal) and int(start.name) < 1):
            yield Hit(_line(node), f"substring from {start.sql()}", "from 1 on")


def truncations(query: Query) -> Iterator[Hit]:
    """Days, weeks (from Monday) and months are the same on both."""
    for node in query.tree.find_all(exp.TimestampTrunc, exp.DateTrunc):
        unit = node.args["unit"].name.upper()
        if unit not in TRUNCATIONS:
            yield Hit(_line(node), f"date_trunc('{unit.lower()}')", "day, week or month; kf_hour")


def differences(query: Query) -> Iterator[Hit]:
    """A date less a date is a number on Postgres and an interval on Spark."""
    for node in query.tree.find_all(exp.Sub):
        kinds = {_moment(node.this), _moment(node.expression)}
        if kinds == {"date"}:
            yield Hit(_line(node), f"date minus date ({node.sql('postgres')})", "kf_days_between")
        elif None not in kinds:
            yield Hit(_line(node), f"timestamp minus timestamp ({node.sql('postgres')})", "kf_seconds_between")


def _moment(node: exp.Expr) -> str | None:
    """date or timestamp, as far as a column's name, a cast or a macro says."""
    if isinstance(node, exp.Cast):
        return {"DATE": "date", "TIMESTAMP": "timestamp"}.get(node.to.this.name)
    if isinstance(node, exp.Column):
        return "date" if node.name.endswith("_date") else "timestamp" if node.name.endswith("_at") else None
    if isinstance(node, exp.Anonymous):
        return "timestamp" if node.name.lower() in MOMENTS else None
    return _moment(node.this) if isinstance(node, SAME_KIND) else None


def limits(query: Query) -> Iterator[Hit]:
    """Which rows a limit leaves is chance unless they are in order."""
    for node in query.tree.find_all(exp.Limit, exp.Fetch):
        if node.parent is not None and node.parent.args.get("order") is None:
            yield Hit(_line(node), "limit without order by", "an order that ends on a unique key")


# --- rules over order ------------------------------------------------------------------------------------------------


def windows(query: Query) -> Iterator[Hit]:
    """A window has a partition, a unique order where one is needed, and frames of rows."""
    for window in query.tree.find_all(exp.Window):
        if isinstance(window.this, exp.Identifier):
            continue  # a definition; judged where it is used
        function = window.this
        if isinstance(function, exp.Filter):
            yield Hit(_line(window), "filter of a window", "a case: Spark has refused it for long")
        while isinstance(function, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
            function = function.this
        parts = _named_window(window) or window
        partition = parts.args.get("partition_by") or []
        order = parts.args.get("order")
        frame = parts.args.get("spec")
        kind = frame.args["kind"].lower() if frame is not None else None
        if not partition:
            yield Hit(_line(window), "a window without partition by", "a partition: else one process gets every row")
        if frame is not None and kind != "rows":
            yield Hit(_line(parts), f"a window frame of {kind}", "rows between")
        if order is None:
            if isinstance(function, NUMBERING):
                yield Hit(_line(window), "a numbering without order by", "an order that ends on a unique key")
            continue
        if frame is None and not isinstance(function, NUMBERING + RANKS):
            yield Hit(_line(window), "a running total without a frame", "rows between unbounded preceding and …")
        if not isinstance(function, RANKS) and not _is_unique(window, partition, order.expressions, query.columns):
            yield Hit(
                _line(order),
                f"ties left to chance ({order.sql('postgres').lower()})",
                "an order that ends on a unique key: of the YAML, of raw, of a group by, or ticket and sequence",
            )


def _named_window(window: exp.Window) -> exp.Expr | None:
    """The definition a window refers to, ``over so_far``."""
    name, select = window.alias, window.find_ancestor(exp.Select)
    if not name or select is None:
        return None
    return next((named for named in select.args.get("windows") or [] if named.this.name == name), None)


def _is_unique(window: exp.Window, partition: list[exp.Expr], order: list[exp.Expr], columns: Columns) -> bool:
    """Whether the last key of the order completes a key that tells the rows of a partition apart."""
    last = order[-1].this
    used = {node.name for node in [*partition, *(ordered.this for ordered in order)] if isinstance(node, exp.Column)}
    used |= _constants(window.find_ancestor(exp.Select))
    return isinstance(last, exp.Column) and any(last.name in key and key <= used for key in columns.keys)


def _constants(select: exp.Select | None) -> set[str]:
    """The columns that `where` holds to one value; the first by its number is `kf_first`, ``<= 1``."""
    where = select.args.get("where") if select is not None else None
    if where is None:
        return set()
    conditions = where.this.flatten() if isinstance(where.this, exp.And) else [where.this]
    return {
        condition.this.name
        for condition in conditions
        if isinstance(condition, exp.EQ | exp.LTE)
        and isinstance(condition.this, exp.Column)
        and isinstance(condition.expression, exp.Literal)
        and (isinstance(condition, exp.EQ) or condition.expression.this == "1")
    }


def own_columns(tree: exp.Expr, columns: Columns) -> Columns:
    """What is known, and what the query itself makes sure of: what it groups by or numbers tells rows apart."""
    keys = set(columns.keys)
    present: dict[str, bool] = {}
    for union in tree.find_all(exp.Union):
        if union.args.get("distinct"):
            keys.add(frozenset(union.named_selects))
    for select in tree.find_all(exp.Select):
        group = select.args.get("group")
        if group is not None and group.expressions:
            keys.add(_shown_as(select, [_grouped(select, node) for node in group.expressions]))
        if select.args.get("distinct") is not None:
            keys.add(frozenset(select.named_selects))
        for shown in select.selects:
            value = _bare(shown)
            number = value.this if isinstance(value, exp.Window) else value
            is_present = isinstance(number, (exp.RowNumber, *RANKS, exp.Count, exp.Literal))
            present[shown.alias_or_name] = present.get(shown.alias_or_name, True) and is_present
            if isinstance(value, exp.Window) and isinstance(number, exp.RowNumber):
                partition = (_named_window(value) or value).args.get("partition_by") or []
                keys.add(_shown_as(select, [value, *partition]))
    never_null = columns.never_null | {name for name, is_present in present.items() if is_present}
    return Columns(never_null, frozenset(key for key in keys if key and "*" not in key))


def _bare(node: exp.Expr) -> exp.Expr:
    """What is shown, without its name and type."""
    value = node.unalias()
    return value.this if isinstance(value, exp.Cast) else value


def _grouped(select: exp.Select, node: exp.Expr) -> exp.Expr:
    """What is grouped by, also where it is said by its number."""
    return select.selects[int(node.name) - 1].unalias() if isinstance(node, exp.Literal) else node


def _shown_as(select: exp.Select, values: list[exp.Expr]) -> frozenset[str]:
    """The names under which a query shows values; none if it does not show them all."""
    shown = {node.unalias(): node.alias_or_name for node in select.selects}
    shown |= {_bare(node): node.alias_or_name for node in select.selects}
    names = set()
    for value in values:
        name = shown.get(value) or (value.name if select.is_star and isinstance(value, exp.Column) else None)
        if name is None:
            return frozenset()
        names.add(name)
    return frozenset(names)


def _null_places(query: Query, spark: exp.Expr) -> Iterator[Hit]:
    """Where nulls stand is said: where it is not, the engines put them at opposite ends."""
    ours, theirs = list(query.tree.find_all(exp.Ordered)), list(spark.find_all(exp.Ordered))
    if len(ours) != len(theirs):
        yield Hit(1, "an order that the engines do not read alike", "a plain order by")
        return
    for here, there in zip(ours, theirs, strict=True):
        certain = isinstance(here.this, exp.Column) and here.this.name in query.columns.never_null
        within = here.find_ancestor(exp.WithinGroup)  # nulls take no part
        if here.args.get("nulls_first") != there.args.get("nulls_first") and not certain and not within:
            yield Hit(
                _line(here),
                f"order by {here.this.sql('postgres').lower()}: nulls first on one engine, last on the other",
                "nulls first or nulls last",
            )


RULES: tuple[Callable[[Query], Iterator[Hit]], ...] = (
    functions,
    operators,
    words,
    literals,
    names,
    types,
    sums,
    distinct_on,
    time_zones,
    substrings,
    truncations,
    differences,
    limits,
    windows,
)


def _line(node: exp.Expr) -> int:
    """The line a node starts in; sqlglot knows it of names and literals."""
    lines = [inner.meta["line"] for inner in node.walk() if "line" in inner.meta]
    if lines:
        return int(min(lines))
    return _line(node.parent) if node.parent is not None else 1
