"""Qualtrics: the export job in all its moods, late edits, and who was asked."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from vendors import TOKEN, Call, Drained, Scripted, configured, drain, extraction

from kefu import load, warehouse
from kefu.emulators.serve import Running
from kefu.errors import KefuError
from kefu.settings import Settings
from kefu.simulator import Summary
from kefu.simulator.files import read_lines
from kefu.sources import qualtrics
from kefu.sources.qualtrics import KIND

NewWarehouse = Callable[..., Settings]

VARIABLE = "SOURCES__QUALTRICS__API_TOKEN"
KEYS = {table.name: table.key for table in KIND.tables}
QUESTIONS = {"QID1": {"metric": "csat", "scale": "five_point"}, "QID2": {"metric": "nps", "scale": "eleven_point"}}


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qualtrics, "_FIRST_POLL", 0.01)


def of(account: Running, world: Summary, **options: Any) -> dict[str, Any]:
    return {
        "base_url": account.qualtrics_url,
        "surveys": [world.survey_id],
        "questions": QUESTIONS,
        "start_date": "2026-01-01",
        **options,
    }


def everything(drained: Drained) -> dict[str, dict[Any, dict[str, Any]]]:
    return {table: drained.merged(table, *key) for table, key in KEYS.items()}


def test_all_responses_land_with_their_status_and_answers(account: Running, world: Summary) -> None:
    known = {
        row["id"]: row
        for row in read_lines(world.directory / "qualtrics" / "responses.jsonl")
        if row["recorded_at"] <= world.now.timestamp()
    }

    drained = drain(KIND, **of(account, world))

    responses = drained.merged("responses", "response_id")
    assert {key for (key,) in responses} == set(known)
    assert {row["status"] for row in responses.values()} >= {0}
    answers = drained.merged("answers", "response_id", "question_id")
    for response_id, row in known.items():
        values = row["values"]
        landed = responses[(response_id,)]
        assert landed["status"] == values["status"] and landed["finished"] == bool(values["finished"])
        assert landed["recorded_at"] == datetime.fromtimestamp(row["recorded_at"], UTC)
        assert (landed["agent"], landed["team"]) == (values.get("agent"), values.get("team"))
        assert json.loads(landed["embedded"]).get("call_id") == values.get("call_id")
        for question in ("QID1", "QID2", "QID3_TEXT", "QID4"):
            answer = answers.get((response_id, question))
            assert (answer and answer["value"]) == (str(values[question]) if question in values else None)
    assert answers[next(key for key in answers if key[1] == "QID1")]["label"]
    assert drained.rejected == []


def test_questions_carry_the_metric_and_scale_of_the_settings(account: Running, world: Summary) -> None:
    own = {f"{world.survey_id}.QID2": {"metric": "other", "scale": "eleven_point"}}

    drained = drain(KIND, **of(account, world, questions=QUESTIONS | own))

    found = {row["question_id"]: (row["metric"], row["scale"]) for row in drained.rows("questions")}
    assert found == {
        "QID1": ("csat", "five_point"),
        "QID2": ("other", "eleven_point"),
        "QID3": (None, None),
        "QID4": (None, None),
    }
    assert drained.rows("surveys")[0]["is_active"] is True


def test_every_invitation_lands_with_what_became_of_it(account: Running, world: Summary) -> None:
    known = {
        (row["distribution_id"], row["contact_id"]): [status for at, status in row["states"]][-1]
        for row in read_lines(world.directory / "qualtrics" / "history.jsonl")
        if row["states"][-1][0] <= world.now.timestamp()
    }

    invitations = drain(KIND, **of(account, world)).merged("invitations", "distribution_id", "contact_id")

    assert known and known.items() <= {key: row["status"] for key, row in invitations.items()}.items()
    finished = [row for row in invitations.values() if row["status"] == "SurveyFinished"]
    assert finished and all(row["response_id"] and row["sent_at"] for row in finished)


def test_day_by_day_and_in_pieces_bring_the_same_as_all_at_once(account: Running, world: Summary) -> None:
    together: dict[str, dict[Any, dict[str, Any]]] = {table: {} for table in KEYS}
    state: dict[str, Any] = {}
    for days in (15, 9, 4, 1, 0):
        account.set_now(world.now - timedelta(days=days))
        for table, rows in everything(drain(KIND, state=state, **of(account, world))).items():
            together[table] |= rows

    at_once = everything(drain(KIND, **of(account, world)))
    assert together == at_once
    assert everything(drain(KIND, **of(account, world, export_days=5))) == at_once


def test_the_next_export_starts_a_window_before_the_last_response(account: Running, world: Summary) -> None:
    state: dict[str, Any] = {}
    drain(KIND, state=state, **of(account, world))
    latest = datetime.fromisoformat(state["recorded"][world.survey_id])

    again = drain(KIND, state=state, **of(account, world, window_days=2)).rows("responses")

    assert again and all(row["recorded_at"] >= latest - timedelta(days=2) for row in again)
    assert max(row["recorded_at"] for row in again) == latest


def test_a_job_that_failed_is_told_though_it_says_200(account: Running, world: Summary) -> None:
    account.plant("export-responses/ES", "fail_job")

    with pytest.raises(KefuError, match=r"export of survey .* failed") as error:
        drain(KIND, **of(account, world))
    assert "'failed'" in str(error.value.found) and world.survey_id in str(error.value)


@pytest.mark.parametrize("kind", ["cut", "truncate"])
def test_a_file_that_arrives_damaged_is_fetched_again(account: Running, world: Summary, kind: str) -> None:
    complete = everything(drain(KIND, **of(account, world)))
    account.plant("/file$", kind, times=1)

    assert everything(drain(KIND, **of(account, world))) == complete


def test_a_file_that_stays_damaged_is_told(account: Running, world: Summary) -> None:
    account.plant("/file$", "truncate", times=9)

    with pytest.raises(KefuError, match="cannot be read") as error:
        drain(KIND, **of(account, world))
    assert "/file" in str(error.value.where)


def test_a_survey_that_is_not_there_is_told_with_those_that_are(account: Running, world: Summary) -> None:
    with pytest.raises(KefuError, match="no survey SV_unknown") as error:
        drain(KIND, **of(account, world, surveys=["SV_unknown"]))
    assert world.survey_id in str(error.value.expected)


def test_a_wrong_token_is_one_message(account: Running, world: Summary) -> None:
    from dataclasses import replace

    drained = Drained()
    wrong = replace(extraction(KIND, drained, **of(account, world)), secret=lambda name: "wrong-token")

    with pytest.raises(KefuError, match="refuses the credentials") as error:
        next(KIND.extract(wrong))
    assert VARIABLE in str(error.value) and account.qualtrics_url in str(error.value)
    assert "wrong-token" not in str(error.value)


def test_a_check_looks_at_every_survey(account: Running, world: Summary) -> None:
    assert KIND.check
    assert "all 1 surveys" in KIND.check(extraction(KIND, Drained(), **of(account, world)))
    with pytest.raises(KefuError, match="does not have this"):
        KIND.check(extraction(KIND, Drained(), **of(account, world, surveys=["SV_x"])))


def packed(responses: list[dict[str, Any]]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("survey.json", json.dumps({"responses": responses}))
    return content.getvalue()


class Survey:
    """A vendor of one survey, whose job goes through the states a test gives it."""

    def __init__(self, *states: dict[str, Any]) -> None:
        self.states = [*states, {"status": "complete", "percentComplete": 100.0, "fileId": "F"}]
        self.polled = 0
        self.responses: list[dict[str, Any]] = []
        self.pages = [[{"id": "SV_1", "name": "One", "isActive": True}]]

    def __call__(self, call: Call) -> Any:
        if call.path.endswith("/surveys"):
            number = int(call.query.get("offset", 0))
            more = f"http://elsewhere/API/v3/surveys?offset={number + 1}" if number + 1 < len(self.pages) else None
            return {"result": {"elements": self.pages[number], "nextPage": more}}
        if "definitions" in call.path:
            return {"result": {"Questions": {}}}
        if "distributions" in call.path:
            return {"result": {"elements": [], "nextPage": None}}
        if call.method == "POST":
            self.polled = 0
            return {"result": {"progressId": "ES_1", "status": "inProgress", "percentComplete": 0.0}}
        if call.path.endswith("/file"):
            return 200, {"Content-Type": "application/octet-stream"}, packed(self.responses)
        self.polled += 1
        return {"result": self.states[min(self.polled, len(self.states)) - 1]}


def test_the_status_counts_and_not_the_percentage(scripted: Scripted) -> None:
    done = {"status": "inProgress", "percentComplete": 100.0}
    scripted.answer = survey = Survey(done, done)

    drain(KIND, base_url=scripted.url, surveys=["SV_1"], start_date="2026-11-01")

    assert survey.polled == 3
    starts = [call.body for call in scripted.calls if call.method == "POST"]
    assert all(body["format"] == "json" and body["timeZone"] == "UTC" for body in starts)
    assert starts[0]["startDate"] == "2026-11-01T00:00:00Z" and "endDate" not in starts[-1]
    assert all(call.headers["X-API-TOKEN"] == TOKEN for call in scripted.calls)


def test_a_job_without_a_file_or_without_end_is_told(scripted: Scripted) -> None:
    options = {"base_url": scripted.url, "surveys": ["SV_1"], "start_date": "2026-11-01"}
    scripted.answer = Survey({"status": "complete", "percentComplete": 100.0, "fileId": None})
    with pytest.raises(KefuError, match="failed"):
        drain(KIND, **options)

    scripted.answer = Survey(*[{"status": "inProgress", "percentComplete": 50.0}] * 10_000)
    with pytest.raises(KefuError, match="does not come to an end") as error:
        drain(KIND, **options, export_timeout_seconds=0.2)
    assert "50.0 % done" in str(error.value.found)


def test_surveys_are_found_on_later_pages(scripted: Scripted) -> None:
    scripted.answer = survey = Survey()
    survey.pages = [[{"id": "SV_0"}], [{"id": "SV_1", "name": "One"}]]

    drained = drain(KIND, base_url=scripted.url, surveys=["SV_1"], start_date="2026-11-01")

    assert drained.rows("surveys") == [{"survey_id": "SV_1", "name": "One", "is_active": None, "last_modified": None}]


def response(recorded: str = "2026-11-02T00:00:00Z", **values: Any) -> dict[str, Any]:
    return {
        "responseId": "R_1",
        "values": {"recordedDate": recorded, "status": 0, **values},
        "labels": {"QID1": "Good"},
    }


def test_a_late_edit_replaces_the_answers_of_its_response(
    scripted: Scripted, new_warehouse: NewWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, TOKEN)
    scripted.answer = survey = Survey()
    settings = configured(
        new_warehouse(), "qualtrics", base_url=scripted.url, surveys=["SV_1"], start_date="2026-11-01"
    )
    survey.responses = [response(QID1=4, QID2=9, QID3_TEXT="fine"), {**response(QID1=1), "responseId": "R_2"}]
    load.extract(settings, "qualtrics")
    survey.responses = [response(QID1=5, QID2=9)]
    report = load.extract(settings, "qualtrics")

    with warehouse.connect(settings, "transformer") as connection:
        answers = connection.execute(
            "select response_id, question_id, value from raw_qualtrics.answers order by 1, 2"
        ).fetchall()
    assert answers == [("R_1", "QID1", "5"), ("R_1", "QID2", "9"), ("R_2", "QID1", "1")]
    changed = {table.table: (table.changed, table.deleted) for table in report.tables if table.changed or table.deleted}
    assert changed == {"answers": (1, 1)}


def test_choices_lists_and_own_field_names_land_as_they_are(scripted: Scripted) -> None:
    scripted.answer = survey = Survey()
    survey.responses = [response(QID4=["1", "3"], case="T-7", agent="", userLanguage="EN")]

    drained = drain(
        KIND, base_url=scripted.url, surveys=["SV_1"], start_date="2026-11-01", fields={"ticket_id": "case"}
    )

    (row,), (answer,) = drained.rows("responses"), drained.rows("answers")
    assert (row["ticket_id"], row["agent"]) == ("T-7", None)
    assert json.loads(row["embedded"]) == {"case": "T-7", "agent": ""}
    assert answer["value"] == '["1","3"]'


def test_a_response_without_an_id_goes_to_quarantine(scripted: Scripted) -> None:
    scripted.answer = survey = Survey()
    survey.responses = [{"values": {"recordedDate": "2026-11-02T00:00:00Z"}}, response(duration="long")]

    drained = drain(KIND, base_url=scripted.url, surveys=["SV_1"], start_date="2026-11-01")

    assert [(item.column, item.value) for item in drained.rejected] == [
        ("response_id", None),
        ("duration_seconds", "long"),
    ]
    assert drained.rows("responses") == []
