"""Emulators of the vendors' APIs over a simulated world, faithful enough for clients others wrote.

`app` builds one application: ``/zendesk``, ``/qualtrics``, ``/health`` and, if asked for, ``/control``. Served by
`kefu.emulators.serve`. The telephone system needs none, see `kefu.emulators.asterisk`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from kefu.emulators.clock import Clock, parse
from kefu.emulators.faults import Fault, Faults
from kefu.emulators.limits import Rates
from kefu.emulators.qualtrics import Qualtrics
from kefu.emulators.zendesk import Zendesk
from kefu.errors import KefuError
from kefu.simulator.world import iso

DEFAULT_EMAIL = "agent@example.com"


class Emulation:
    """The emulated vendors of one world: ``app`` to be served, ``clock`` and ``faults`` to play with."""

    def __init__(
        self,
        data: Path | str,
        *,
        zendesk_token: str,
        qualtrics_token: str,
        zendesk_email: str = DEFAULT_EMAIL,
        now: datetime | None = None,
        rates: Rates | None = None,
        gateway: int = 2024,
        polls: int = 1,
        faults: Sequence[Fault] = (),
        control: bool = False,
    ) -> None:
        """Read the world `kefu.simulator.write` left in ``data``.

        ``now`` is the emulated present, by default the instant the world has reached. ``rates`` are enforced if given.
        ``gateway`` is the age of Zendesk's rate-limit headers (2023, 2024), ``polls`` how often a Qualtrics job is
        still in progress. ``control`` opens ``/control`` for tests. Raises KefuError if there is no world.
        """
        data = Path(data)
        try:
            self.world = orjson.loads((data / "world.json").read_bytes())
        except (OSError, orjson.JSONDecodeError) as error:
            raise KefuError(
                "There is no simulated world to emulate.",
                expected="a folder written by kefu.simulator.write",
                found=str(error),
                where=str(data),
                do="Let the simulator write one first.",
            ) from error
        self.clock = Clock(int((now or parse(self.world["now"])).timestamp()))
        self.zendesk = Zendesk(
            data / "zendesk",
            self.clock,
            email=zendesk_email,
            token=zendesk_token,
            rates=rates or Rates(enforced=False),
            gateway=gateway,
        )
        self.qualtrics = Qualtrics(data / "qualtrics", self.clock, token=qualtrics_token, polls=polls)
        routes: list[Route | Mount] = [
            Route("/health", self._health),
            Mount("/zendesk", app=self.zendesk.app()),
            Mount("/qualtrics", app=self.qualtrics.app()),
        ]
        if control:
            routes += [
                Route("/control/clock", self._set_clock, methods=["POST"]),
                Route("/control/faults", self._plant, methods=["POST"]),
                Route("/control/faults", self._clear, methods=["DELETE"]),
                Route("/control/calls", self._calls),
            ]
        self.faults = Faults(Starlette(routes=routes))
        self.faults.planted += faults
        self.app = self.faults

    async def _health(self, request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "now": self._now()})

    async def _set_clock(self, request: Request) -> JSONResponse:
        self.clock.set(parse((await request.json())["now"]))
        return JSONResponse({"now": self._now()})

    async def _plant(self, request: Request) -> JSONResponse:
        self.faults.planted.append(Fault(**await request.json()))
        return JSONResponse({"planted": len(self.faults.planted)})

    async def _clear(self, request: Request) -> JSONResponse:
        self.faults.planted.clear()
        return JSONResponse({"planted": 0})

    async def _calls(self, request: Request) -> JSONResponse:
        return JSONResponse([vars(call) for call in self.faults.calls])

    def _now(self) -> str:
        return iso(self.clock.now)


def app(data: Path | str, *, zendesk_token: str, qualtrics_token: str, now: datetime | None = None) -> Faults:
    """The emulators as one application with everything else at its default."""
    return Emulation(data, zendesk_token=zendesk_token, qualtrics_token=qualtrics_token, now=now).app
