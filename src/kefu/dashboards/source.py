"""What people write by hand: datasets, charts, dashboards, templates and colours, in both languages at once.

A mapping with exactly the keys ``en`` and ``zh`` is a choice; inside a string ``@{english|中文}`` is one, and ``@lang``
is the language itself (``team_@lang``). Anything unknown is refused: a key that YAML cut in two would else be lost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from kefu.errors import KefuError

LANGUAGES = ("en", "zh")
_CHOICE = re.compile(r"@\{([^|{}]*)\|([^|{}]*)\}")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Text(_Model):
    """A text in both languages."""

    en: str = Field(min_length=1)
    zh: str = Field(min_length=1)

    def __getitem__(self, language: str) -> str:
        """The text in a language."""
        return self.en if language == "en" else self.zh


class Dimension(_Model):
    """What readers group and filter by: a column of the kpi tables, with its values in the reader's language.

    Its words come from a dimension table (``table``, ``label``), from a list (``words``), or from ``sql``.
    """

    name: Text
    key: str
    table: str | None = None
    label: str | None = None
    words: dict[str, Text] = {}
    sql: str | None = None


class Dataset(_Model):
    """One table of the schema kpis (or plain SQL over such tables) as Superset sees it.

    ``table`` with KPIs in the catalogue: its columns, the named dimensions, and metrics generated from the catalogue.
    ``weekly``: the judged weeks of kpi_weekly. ``sql``: columns for Handlebars tiles, each declared in ``columns``.
    """

    about: Text
    table: str | None = None
    dimensions: list[str] = []
    weekly: list[str] = []
    sql: str | None = None
    columns: dict[str, Literal["text", "bigint", "double precision", "boolean", "date", "timestamp"]] = {}

    @model_validator(mode="after")
    def _one_kind(self) -> Dataset:
        if (self.table is None) == (self.sql is None):
            raise ValueError("name either a table or sql")
        if bool(self.columns) != (self.sql is not None):
            raise ValueError("columns are declared for sql, and only there")
        if self.sql and (self.dimensions or self.weekly):
            raise ValueError("dimensions and weekly belong to a table")
        return self


class _Chart(_Model):
    title: Text
    about: Text | None = None
    dataset: str
    where: str | None = None


class Tile(_Chart):
    """A Handlebars template over rows of a dataset."""

    kind: Literal["tile"]
    template: str
    columns: list[str]
    order: list[str] = []
    rows: int = 1000


class Figures(_Chart):
    """Cards of KPIs over the chosen time and filters: value, interval, n, target."""

    kind: Literal["figures"]
    kpis: list[str]


class Comparison(_Chart):
    """A row per value of a dimension, each KPI with its whisker; in the order of names, never of values."""

    kind: Literal["comparison"]
    by: str
    kpis: list[str]


class Band(_Chart):
    """A KPI over time with its interval, its target and, at the foot, n."""

    kind: Literal["band"]
    kpi: str
    grain: Literal["day", "week"]
    unit: Literal["hours", "minutes"] | None = None


class Lines(_Chart):
    """Several KPIs of one unit over time; the first with its interval if it has one."""

    kind: Literal["lines"]
    kpis: list[str]
    grain: Literal["day", "week"]
    unit: Literal["hours", "minutes"] | None = None


class Area(_Chart):
    """A count over time, stacked by a dimension."""

    kind: Literal["area"]
    kpi: str
    by: str
    grain: Literal["day", "week"]


class Xmr(_Chart):
    """A KPI by week in its process limits; weeks beyond them are marked."""

    kind: Literal["xmr"]
    kpi: str
    unit: Literal["hours", "minutes"] | None = None


class Heatmap(_Chart):
    """A KPI by two dimensions."""

    kind: Literal["heatmap"]
    kpi: str
    x: str
    y: str


Chart = Annotated[Tile | Figures | Comparison | Band | Lines | Area | Xmr | Heatmap, Field(discriminator="kind")]


class Window(_Model):
    """The days a page opens with: so many weeks up to the last whole week, or up to the last whole day."""

    weeks: int = Field(ge=1, le=104)
    until: Literal["week", "day"]


class Filter(_Model):
    """A choice among the values of a dimension of a dataset, for every tile whose dataset has that column."""

    dataset: str
    column: str
    where: str | None = None


class Dashboard(_Model):
    """A page: rows of tiles, each ``name: [columns of 12, height in 8 px]``."""

    title: Text
    about: Text
    owner: str
    window: Window
    filters: list[Filter] = []
    rows: list[dict[str, tuple[int, int]]]
    phone: dict[str, int | None] = {}  # height of a tile on the narrow page; null leaves it out

    def tiles(self) -> list[str]:
        """Every tile, from top left to bottom right."""
        return [name for row in self.rows for name in row]


class Colour(_Model):
    """One meaning, one colour: the KPIs and kinds of metric that are drawn in it."""

    hex: str = Field(pattern=r"^#[0-9A-F]{6}$")
    metrics: list[str] = []
    labels: list[Text] = []


@dataclass(frozen=True)
class Source:
    """Everything under superset/source, validated."""

    dimensions: dict[str, Dimension]
    datasets: dict[str, Dataset]
    charts: dict[str, Chart]
    dashboards: dict[str, Dashboard]
    colours: dict[str, Colour]
    templates: dict[str, str]
    css: str


def load(folder: Path) -> Source:
    """Read and validate ``superset/source``. KefuError lists every problem of every file."""
    problems: list[str] = []

    def read(path: Path, kind: Any) -> Any:
        try:
            body = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
            return TypeAdapter(kind).validate_python(body)
        except yaml.YAMLError as error:
            problems.append(f"{path.relative_to(folder)}: {' '.join(str(error).split())}")
        except ValidationError as error:
            for problem in error.errors():
                place = ".".join(str(part) for part in problem["loc"])
                message = problem["msg"].removeprefix("Value error, ")
                if problem["type"] == "extra_forbidden":
                    message = "unknown key"
                problems.append(f"{path.relative_to(folder)}: {place or 'file'}: {message}")
        except OSError as error:
            problems.append(f"{path.relative_to(folder)}: {error.strerror}")
        return None

    def every(name: str, kind: Any) -> dict[str, Any]:
        return {path.stem: read(path, kind) for path in sorted((folder / name).glob("*.yaml"))}

    source = Source(
        dimensions=read(folder / "dimensions.yaml", dict[str, Dimension]),
        datasets=every("datasets", Dataset),
        charts=every("charts", Chart),
        dashboards=every("dashboards", Dashboard),
        colours=read(folder / "colours.yaml", dict[str, Colour]),
        templates={
            path.stem: path.read_text(encoding="utf-8").strip()
            for path in sorted((folder / "templates").glob("*.html"))
        },
        css=(folder / "kefu.css").read_text(encoding="utf-8") if (folder / "kefu.css").exists() else "",
    )
    if problems:
        raise KefuError(
            f"The dashboards have {len(problems)} problem{'s' if len(problems) > 1 else ''}:\n"
            + "\n".join(f"  - {problem}" for problem in problems),
            where=str(folder),
        )
    return source


def speak(text: str, language: str) -> str:
    """A string as readers of one language see it."""
    return _CHOICE.sub(lambda match: match[1 if language == "en" else 2], text).replace("@lang", language)


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping; YAML itself keeps the last and says nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=deep)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)
