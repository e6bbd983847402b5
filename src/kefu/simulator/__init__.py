"""An invented service centre with known truth: calls, tickets and surveys over a period, from a seed.

`write` lets the centre live from ``start`` to the day before ``end`` and writes

- ``zendesk/`` and ``qualtrics/``: state for `kefu.emulators`, which serves it as the vendors would;
- ``asterisk/``: queue_log and its rotated predecessors, as the telephone system leaves them;
- ``workforce/`` and ``quality/``: exports of the workforce and quality management, with mappings that read them;
- ``truth/``: what really happened, see `kefu.simulator.truth`;
- ``world.json``: the parameters, the survey's id, the teams, the instant the world has reached.

The same seed and period give the same bytes on every machine. In the last two weeks the Returns team has trouble: more
calls, fewer people, longer waits, less content customers.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import available_timezones

from kefu.errors import KefuError
from kefu.simulator import asterisk, files, quality, qualtrics, rota, truth, workforce, zendesk
from kefu.simulator.people import Customers, staff
from kefu.simulator.surveys import Survey
from kefu.simulator.telephony import Telephony
from kefu.simulator.tickets import TicketDesk
from kefu.simulator.world import TEAMS, World, iso


@dataclass(frozen=True)
class Summary:
    """What was written: where, from which parameters, how much, in how many seconds.

    ``now`` is the instant (UTC) the world has reached: all of it has happened, and long enough ago to be handed out.
    """

    directory: Path
    seed: int
    start: date
    end: date
    zone: str
    scale: float
    now: datetime
    survey_id: str
    counts: dict[str, int]
    seconds: float


def write(
    directory: Path | str,
    *,
    seed: int = 1,
    start: date,
    end: date,
    zone: str = "Asia/Shanghai",
    scale: float = 1.0,
) -> Summary:
    """Let the centre live and write everything about it under ``directory`` (created if need be).

    ``end`` is the first day that does not happen. ``scale`` multiplies demand and staff; at 1 there are about 260 calls
    and 80 tickets a day. Raises KefuError for an empty period, an unknown zone or a scale that is not positive.
    """
    if end <= start or scale <= 0 or zone not in available_timezones():
        raise KefuError(
            "The simulator cannot make this world.",
            expected="start before end, a positive scale, an IANA zone such as Asia/Shanghai",
            found=f"start {start}, end {end}, scale {scale}, zone {zone}",
            do="Correct the parameters.",
        )
    begun = time.perf_counter()
    directory, world = Path(directory), World(seed, start, end, zone, scale)
    with _rare_garbage_collection():
        survey_id, counts = _live(world, directory)
    now = datetime.fromtimestamp(world.now, UTC)
    seconds = time.perf_counter() - begun
    return Summary(directory, seed, start, end, zone, scale, now, survey_id, counts, seconds)


def _live(world: World, directory: Path) -> tuple[str, dict[str, int]]:
    """Let the world happen and write it; returns the survey's id and rows by file."""
    agents, customers = staff(world), Customers(world)
    telephony = Telephony(world, agents, customers)
    telephony.run()
    desk = TicketDesk(world, agents, customers, telephony.calls)
    desk.run()
    survey = Survey(world, telephony.calls)
    survey.run()
    plan = list(rota.published(world, agents))
    cases = workforce.case_work(world, telephony.idle)
    reviews = quality.evaluations(world, telephony.calls, desk.tickets, agents)

    counts = {"agents": len(agents), "customers": len(customers.all)}
    counts["queue_log"] = asterisk.write(world, telephony.log, directory / "asterisk")
    counts |= zendesk.write(world, agents, desk.tickets, directory / "zendesk")
    counts |= qualtrics.write(world, survey, directory / "qualtrics")
    counts |= workforce.write(world, plan, cases, directory / "workforce")
    counts |= quality.write(reviews, directory / "quality")
    everything = truth.Everything(telephony.calls, desk.tickets, survey, plan, telephony.states, cases, reviews)
    counts |= {f"truth.{name}": rows for name, rows in truth.write(everything, directory / "truth").items()}
    described = {
        "seed": world.seed,
        "start": world.start.isoformat(),
        "end": world.end.isoformat(),
        "zone": world.zone,
        "scale": world.scale,
        "now": iso(world.now),
        "survey_id": survey.id,
        "teams": [
            {"id": team.id, "en": team.en, "zh": team.zh, "queue": team.queue, "group": team.group} for team in TEAMS
        ],
        "counts": counts,
    }
    (directory / "world.json").write_bytes(files.dumps(described))
    return survey.id, counts


@contextmanager
def _rare_garbage_collection() -> Iterator[None]:
    """Millions of small objects are made that live on; looking through them again and again would be half the time."""
    thresholds = gc.get_threshold()
    gc.set_threshold(200_000, 50, 1000)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
