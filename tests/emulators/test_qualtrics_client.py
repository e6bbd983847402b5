"""QualtricsAPI, a client others wrote, works against the emulated Qualtrics over TLS as against the true one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from QualtricsAPI.Setup import Credentials
from QualtricsAPI.Survey import Distributions, Responses

from kefu.emulators.serve import Running
from kefu.simulator import Summary


@pytest.fixture
def credentials(secure: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """It can only say https://{data_center}.qualtrics.com, so the data centre is part of the path."""
    for name in ("token", "data_center"):
        monkeypatch.setenv(name, "")  # it keeps them in the environment: put back afterwards
    Credentials().qualtrics_api_credentials(secure.token, f"localhost:{secure.port}/qualtrics/ca1")
    yield secure


def test_responses_are_exported_polled_and_unzipped(credentials: Running, world: Summary) -> None:
    frame = Responses().get_survey_responses(survey=world.survey_id)
    assert len(frame) == 2 + world.counts["responses"], "two of the three header rows are data to it"
    assert set(frame["Q1"].dropna()) >= {"1", "2", "3", "4", "5"}


def test_distributions_are_listed(credentials: Running, world: Summary) -> None:
    frame = Distributions().list_distributions(survey=world.survey_id)
    assert len(frame) == world.counts["distributions"]
