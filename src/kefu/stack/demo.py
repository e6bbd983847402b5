"""``kefu demo``, ``kefu up``, ``kefu down``: the whole stack on one machine, from nothing or from where it stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future

from rich.table import Table

from kefu import warehouse
from kefu.errors import KefuError
from kefu.settings import Settings, load_settings
from kefu.stack import airflow, demo_sources, follow, keeper, postgres, state, superset
from kefu.stack.console import Say, Steps, together
from kefu.stack.keeper import Program

HEALTHY_SECONDS = 240


def demo() -> None:
    """An invented service centre from source systems to dashboards; a second call reuses everything.

    Raises KefuError naming what failed; the next call continues from there.
    """
    began = time.monotonic()
    settings = _without_own_sources(load_settings())
    with state.explained(settings.home), Steps() as steps:
        _database(steps, settings)
        ready = keeper.states(settings)
        configured: Future[Settings] = Future()

        def sources() -> None:
            try:
                _sources(steps, settings, ready, configured)
            except BaseException as error:
                if not configured.done():
                    configured.set_exception(error)  # whoever waits for the configuration waits no longer
                raise

        together(
            sources,
            # Tokens of a real vendor in the caller's environment must not reach the demo.
            lambda: _airflow(steps, settings, ready, configured.result, demo_sources.tokens(settings)),
            lambda: _superset(steps, settings, ready),
        )
        settings = configured.result()
        with steps.step("Pipeline: extract, check, build, check, publish, dashboards") as say:
            follow.through(settings, say, steps.say)
        steps.say("")
        steps.say(f"The demo is ready after {time.monotonic() - began:.0f} s.")
        _print_addresses(steps, settings)
        steps.say(
            f"The command line sees the demo with: export KEFU_CONFIG={settings.config} KEFU_HOME={settings.home}"
        )
        steps.say("What is up: make status. Stop everything: make down. Go on later: make demo.")


def up(settings: Settings) -> None:
    """Start the stack of a configuration: Postgres, Airflow, Superset. DAGs seen for the first time are turned on."""
    with state.explained(settings.home), Steps() as steps:
        _database(steps, settings)
        ready = keeper.states(settings)
        together(lambda: _airflow(steps, settings, ready, lambda: settings), lambda: _superset(steps, settings, ready))
        with steps.step("DAGs") as say:
            dags = [*(f"ingest_{source.name}" for source in settings.enabled_sources()), *follow.DOWNSTREAM]
            follow.wait_for(settings, dags)
            new = follow.turn_on(settings, dags)
            say(f"{', '.join(new)} turned on" if new else "as before")
        _print_addresses(steps, settings)
        if not settings.enabled_sources():
            steps.say(f"No source is enabled yet: see [sources] in {settings.config}.")


def down(settings: Settings) -> None:
    """Stop everything this KEFU_HOME started, leftovers of a killed run included; ends nothing else."""
    with Steps() as steps:
        with steps.step("Stopping Airflow, Superset and the emulators") as say:
            stopped = keeper.stop(settings)
            say(", ".join(stopped) or "none was running")
        with steps.step("Stopping Postgres") as say:
            say("stopped" if postgres.stop(settings) else "it was not running")


def _without_own_sources(settings: Settings) -> Settings:
    own = settings.config != demo_sources.configuration(settings.home)
    if own and settings.enabled_sources():
        raise KefuError(
            "The demo would mix invented data with yours.",
            expected="a configuration without enabled sources",
            found=", ".join(source.name for source in settings.enabled_sources()),
            where=str(settings.config),
            do="Start your own stack with `kefu up`, or give the demo a home of its own: a folder with an empty "
            "kefu.toml, KEFU_CONFIG and KEFU_HOME pointing there.",
        )
    if settings.warehouse.host is not None:
        raise KefuError(
            "The demo runs on its own Postgres.",
            found=f"[warehouse] host = {settings.warehouse.host!r}",
            where=str(settings.config),
            do="Take [warehouse] out, or start your own stack with `kefu up`.",
        )
    return settings


def _sources(steps: Steps, settings: Settings, ready: dict[str, keeper.State], configured: Future[Settings]) -> None:
    with steps.step("Source systems") as say:
        say("an invented service centre lives through three months")
        demo_sources.simulate(settings)
        _port(settings, ready, demo_sources.PROGRAM)
        configured.set_result(demo_sources.configure(settings))
        _run(settings, [demo_sources.program(settings)], lambda: demo_sources.is_healthy(settings), say)
        counts = demo_sources.counts(settings)
        say(f"{counts['truth.calls']:,} calls, {counts['tickets']:,} tickets, {counts['responses']:,} survey answers")


def _database(steps: Steps, settings: Settings) -> None:
    with steps.step("Postgres") as say:
        server = postgres.start(settings)
        say(f"on port {server.port}")
        warehouse.ensure(settings)
        warehouse.prepare(settings)


def _airflow(
    steps: Steps,
    settings: Settings,
    ready: dict[str, keeper.State],
    configured: Callable[[], Settings],
    secrets: dict[str, str] | None = None,
) -> None:
    with steps.step("Airflow") as say:
        _port(settings, ready, "airflow", airflow.PREFERRED_PORT, "airflow-api-server")
        say("preparing its database")
        airflow.prepare(settings)
        programs = airflow.programs(configured(), secrets)
        _run(settings, programs, lambda: set(airflow.health(settings).values()) == {"healthy"}, say)


def _superset(steps: Steps, settings: Settings, ready: dict[str, keeper.State]) -> None:
    with steps.step("Superset") as say:
        _port(settings, ready, "superset", superset.PREFERRED_PORT)
        say("preparing its database, roles and users")
        superset.prepare(settings)
        _run(settings, [superset.program(settings)], lambda: superset.is_healthy(settings), say)


def _port(
    settings: Settings,
    ready: dict[str, keeper.State],
    name: str,
    preferred: int | None = None,
    program: str | None = None,
) -> None:
    """See to it that the port is ours: kept while its program runs, else chosen anew if somebody took it."""
    running = ready.get(program or name)
    if running is None or not running.is_up:
        state.choose_port(settings, name, preferred)


def _run(settings: Settings, programs: list[Program], healthy: Callable[[], bool], say: Say) -> None:
    say("starting")
    keeper.start(settings, programs)

    def is_up() -> bool:
        for program in programs:
            keeper.ensure_running(settings, program.name)
        try:
            return healthy()
        except KefuError:
            return False

    if not _wait(is_up, HEALTHY_SECONDS):
        log = state.log_file(settings, programs[0].name)
        raise KefuError(
            f"{programs[0].name} is not healthy after {HEALTHY_SECONDS} s.",
            found=f"its log ends:\n{keeper.indented(keeper.tail(log))}",
            where=str(log),
            do="Run the same command again: it continues where it stopped.",
        )


def _wait(done: Callable[[], bool], seconds: float = HEALTHY_SECONDS) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.3)
    return True


def _print_addresses(steps: Steps, settings: Settings) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "address", "user", "password"):
        table.add_column(column, overflow="fold")
    for user in superset.USERS:
        table.add_row("Superset", superset.url(settings), user, superset.password(settings, user))
    table.add_row("Airflow", airflow.url(settings), airflow.USER, airflow.password(settings))
    if warehouse.is_embedded(settings):
        host, port = warehouse.address(settings)
        database = f"{host}:{port}/{settings.warehouse.database}"
        table.add_row("Postgres", database, "analyst", warehouse.password(settings, "analyst"))
    steps.console.print(table)
    steps.say(f"The passwords were generated and are in {state.secrets_file(settings)}.")
