"""The steps from source to reader: extract, check, build, check, publish.

The command line and the DAG tasks call these same functions. Each loads the settings itself, can run twice, and
says in one line what it did, with counts and seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from kefu.errors import KefuError
from kefu.settings import Settings, load_settings

Say = Callable[[str], None]


def say(line: str) -> None:
    """Print a line at once: a task log is read while the task runs."""
    print(line, flush=True)


def prepare(settings: Settings) -> None:
    """See to it that the warehouse runs and holds every schema, role and declared raw table."""
    from kefu import control, expectations, load, publish, warehouse

    warehouse.ensure(settings)
    warehouse.prepare(settings)
    control.prepare(settings)
    expectations.prepare(settings)
    publish.prepare(settings)
    load.prepare_raw(settings)


def extract(names: Iterable[str] = (), *, full: bool = False, settings: Settings | None = None) -> None:
    """Land the sources (all enabled ones by default). One that fails does not stop the others; KefuError at the end."""
    from kefu import load

    settings = settings or load_settings()
    chosen = _chosen(settings, names)
    prepare(settings)
    _each(chosen, "extract", lambda name: str(load.extract(settings, name, full=full, progress=say)))


def check_raw(
    names: Iterable[str] = (),
    *,
    settings: Settings | None = None,
    run_id: str | None = None,
    accept_loss: bool = False,
) -> None:
    """Hold what landed to the raw expectations; KefuError lists every broken rule of every source."""
    from kefu import expectations

    settings = settings or load_settings()

    def check(name: str) -> str:
        return expectations.check_raw(settings, name, run=run_id, accept_loss=accept_loss).summary()

    _each(_chosen(settings, names), "check raw", check)


def build(
    layers: Iterable[str] = (),
    *,
    as_of: datetime | None = None,
    full: bool = False,
    settings: Settings | None = None,
) -> None:
    """Build the layers (all by default) into the slot nobody reads: what changed since its last build, or all.

    The first layer begins a build; the others go on with it, so that all of them see one as-of time.
    """
    from kefu import control, expectations, publish, transform

    settings = settings or load_settings()
    chosen = transform.known_layers(layers or transform.LAYERS)
    first, last = next(iter(transform.LAYERS)), list(transform.LAYERS)[-1]
    if first in chosen:
        prepare(settings)
        expectations.require_fit(settings)
        current = control.begin_build(settings, publish.target_slot(settings), as_of, full=full)
        say(f"build: {current.scope}")
    else:
        current = control.current_build(settings)
    report = transform.build(settings, current, chosen, _models_only)
    if last in chosen:
        control.mark(settings, current, "built")
    say(
        f"build: {', '.join(chosen)} into slot {current.slot}, {report.count('model')} models, "
        f"{report.count('test')} tests passed, as of {current.as_of_at}Z, {report.seconds:.1f} s"
    )


def check_published(*, settings: Settings | None = None, run_id: str | None = None, accept_loss: bool = False) -> None:
    """Hold what was built to the published expectations; KefuError leaves readers on the last good build."""
    from kefu import control, expectations

    settings = settings or load_settings()
    current = control.current_build(settings)
    if not current.is_built:
        raise KefuError("The last build did not finish; there is nothing to check.", do="Run `kefu build`.")
    started = time.monotonic()
    report = expectations.check_published(settings, current.slot, run=run_id, accept_loss=accept_loss)
    control.mark(settings, current, "checked")
    say(f"check published: {report.summary()}, {time.monotonic() - started:.1f} s")


def publish(*, settings: Settings | None = None) -> None:
    """Turn readers to the build that has passed, in one transaction."""
    from kefu import control
    from kefu import publish as publication

    settings = settings or load_settings()
    current = control.current_build(settings)
    if not (current.is_built and current.is_checked):
        raise KefuError(
            "The last build has not passed its checks; readers stay where they are.",
            do="Run `kefu build` and `kefu check`, or `kefu run` for everything.",
        )
    started = time.monotonic()
    publication.publish(settings, current.slot, as_of=current.as_of_at)
    say(f"publish: slot {current.slot}, as of {current.as_of_at}Z, {time.monotonic() - started:.1f} s")


def refresh_dashboards(*, settings: Settings | None = None) -> None:
    """Bring Superset to the dashboards of this checkout and the numbers just published."""
    from kefu import dashboards

    settings = settings or load_settings()
    started = time.monotonic()
    outcome = dashboards.refresh(settings)
    say(f"refresh dashboards: {outcome}, {time.monotonic() - started:.1f} s")


def run(names: Iterable[str] = (), *, as_of: datetime | None = None, full: bool = False) -> None:
    """Everything, without Airflow. A source that cannot be loaded is reported at the end; the others go all the way.

    What landed and does not hold to the expectations stops the build: readers keep the last good one.
    """
    settings = load_settings()
    chosen = _chosen(settings, names)
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-run"
    failed: list[KefuError] = []
    landed = []
    for name in chosen:
        try:
            extract([name], full=full, settings=settings)
            landed.append(name)
        except KefuError as error:
            failed.append(error)
            say(f"{name}: {error}")
    if not landed:
        raise KefuError(
            f"No source could be loaded ({len(failed)} failed, see above).", do="Correct that and run again."
        )
    check_raw(landed, settings=settings, run_id=run_id)
    build(as_of=as_of, settings=settings)
    check_published(settings=settings, run_id=run_id)
    publish(settings=settings)
    if failed:
        raise KefuError(
            f"{len(failed)} of {len(chosen)} sources could not be loaded (see above); the others are published.",
            do="Correct that and run again.",
        )


def _chosen(settings: Settings, names: Iterable[str]) -> list[str]:
    chosen = [settings.source(name).name for name in names] or [source.name for source in settings.enabled_sources()]
    if not chosen:
        raise KefuError(
            "No source is enabled.",
            where=str(settings.config),
            do="Enable one in [sources.<name>] (docs/add-a-source.md), or run `kefu demo` for an invented centre.",
        )
    return chosen


def _each(names: list[str], step: str, act: Callable[[str], str]) -> None:
    errors = []
    for name in names:
        started = time.monotonic()
        try:
            summary = act(name)
        except KefuError as error:
            errors.append(error)
            continue
        say(f"{step} {name}: {summary}, {time.monotonic() - started:.1f} s")
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise KefuError("\n".join(str(error) for error in errors))


def _models_only(line: str) -> None:
    """Of dbt's chatter, what a person waits for."""
    text = line.partition("  ")[2].strip()
    if " OK " in line or " ERROR " in line or " FAIL " in line or "Finished running" in line:
        say(f"  {text}")
