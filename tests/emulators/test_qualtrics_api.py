"""The emulated Qualtrics behaves as documented: jobs, zips, tokens, three header rows, history that moves."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from callers import Qualtrics

from kefu.emulators.serve import Running, running
from kefu.simulator import Summary

Rows = dict[str, list[dict[str, Any]]]


def unpack(archive: bytes) -> tuple[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        (name,) = opened.namelist()
        return name, opened.read(name)


def responses(archive: bytes) -> list[dict[str, Any]]:
    return json.loads(unpack(archive)[1])["responses"]


@pytest.mark.parametrize("headers", [{}, {"X-API-TOKEN": "wrong"}, {"Authorization": "Bearer wrong"}])
def test_without_the_token_nothing_is_told(emulators: Running, headers: dict[str, str]) -> None:
    for path in ("surveys", "surveys/SV_1/export-responses/x/file"):
        reply = requests.get(f"{emulators.qualtrics_url}/API/v3/{path}", headers=headers, timeout=30)
        assert reply.status_code == 401
        assert reply.json()["meta"]["httpStatus"] == "401 - Unauthorized"
        assert reply.json()["meta"]["error"]["errorCode"]


def test_a_bearer_token_opens_the_door_too(emulators: Running) -> None:
    headers = {"Authorization": f"Bearer {emulators.token}"}
    assert requests.get(f"{emulators.qualtrics_url}/API/v3/whoami", headers=headers, timeout=30).status_code == 200


def test_the_survey_is_listed_and_defined(qualtrics: Qualtrics, world: Summary) -> None:
    (survey,) = qualtrics.every("surveys")
    assert survey["id"] == world.survey_id and len(survey["id"]) == 18 and survey["isActive"] is True
    defined = qualtrics.get(f"survey-definitions/{world.survey_id}")
    questions = defined["Questions"]
    assert {key: question["Selector"] for key, question in questions.items()} == {
        "QID1": "SAVR",
        "QID2": "NPS",
        "QID3": "ML",
        "QID4": "SAVR",
    }
    assert questions["QID1"]["Choices"]["5"]["Display"] == "Very satisfied"
    assert questions["QID1"]["RecodeValues"] == {str(code): str(code) for code in range(1, 6)}


def test_a_job_is_polled_until_it_is_complete(world: Summary) -> None:
    with running(world.directory, polls=3) as served:
        qualtrics = Qualtrics(served, world.survey_id)
        started = qualtrics.start(format="json").json()["result"]
        assert started["status"] == "inProgress" and started["percentComplete"] == 0.0
        states = [qualtrics.poll(started["progressId"]) for _ in range(4)]
    assert [state["status"] for state in states] == ["inProgress"] * 3 + ["complete"]
    assert "fileId" not in states[0] and states[3]["fileId"]
    assert "continuationToken" not in states[3], "it was not asked for"


def test_the_file_is_a_zip_with_one_json_file(qualtrics: Qualtrics, known: Rows) -> None:
    archive, _ = qualtrics.export(format="json")
    name, _ = unpack(archive)
    assert name.endswith(".json")
    rows = responses(archive)
    assert [row["responseId"] for row in rows] == [row["response_id"] for row in known["responses"]]
    assert all(len(row["responseId"]) == 17 for row in rows)
    for row, true in zip(rows, known["responses"], strict=True):
        values = row["values"]
        assert values.get("QID1") == true["csat"] and values.get("QID2") == true["nps"]
        assert values.get("QID4") == {True: 1, False: 2, None: None}[true["solved"]]
        assert values["recordedDate"] == true["recorded_at"]
        assert bool(values["finished"]) == true["finished"]
        assert (values.get("call_id"), values.get("agent")) == (true["call_id"], true["agent"])
    assert rows[0]["labels"]["finished"] == "True"


def test_filters_look_at_the_recorded_date(qualtrics: Qualtrics, world: Summary) -> None:
    border = (world.now - timedelta(days=20)).strftime("%Y-%m-%dT%H:%M:%SZ")
    early, late = (
        responses(qualtrics.export(format="json", **filters)[0])
        for filters in ({"endDate": border}, {"startDate": border})
    )
    assert early and late and len(early) + len(late) == world.counts["responses"]
    assert max(row["values"]["recordedDate"] for row in early) < border
    assert min(row["values"]["recordedDate"] for row in late) >= border


def test_a_continuation_brings_what_was_recorded_since(
    qualtrics: Qualtrics, emulators: Running, world: Summary
) -> None:
    emulators.set_now(world.now - timedelta(days=15))
    archive, state = qualtrics.export(format="json", allowContinuation=True)
    first = responses(archive)
    archive, state = qualtrics.export(format="json", continuationToken=state["continuationToken"])
    assert responses(archive) == []
    emulators.set_now(world.now)
    archive, state = qualtrics.export(format="json", continuationToken=state["continuationToken"])
    second = responses(archive)
    assert first and second and len(first) + len(second) == world.counts["responses"]
    assert not {row["responseId"] for row in first} & {row["responseId"] for row in second}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"format": "xlsx"},
        {"format": "json", "startDate": "yesterday"},
        {"format": "json", "continuationToken": "nonsense"},
        {"format": "json", "continuationToken": "nonsense", "startDate": "2026-10-01T00:00:00Z"},
    ],
)
def test_a_wrong_export_is_refused(qualtrics: Qualtrics, wrong: dict[str, Any]) -> None:
    reply = qualtrics.start(**wrong)
    assert reply.status_code == 400 and reply.json()["meta"]["httpStatus"] == "400 - Bad Request"


def test_what_is_not_there_is_not_found(qualtrics: Qualtrics) -> None:
    root = qualtrics.root
    for path in (
        "survey-definitions/SV_000000000000000",
        f"surveys/{qualtrics.survey}/export-responses/ES_none",
        f"surveys/{qualtrics.survey}/export-responses/none/file",
        "distributions/EMD_000000000000000/history",
        "nothing",
    ):
        reply = qualtrics.session.get(f"{root}/{path}", timeout=30)
        assert reply.status_code == 404 and reply.json()["meta"]["httpStatus"] == "404 - Not Found"


def test_csv_has_three_header_rows(qualtrics: Qualtrics, known: Rows) -> None:
    name, data = unpack(qualtrics.export(format="csv")[0])
    assert name.endswith(".csv") and data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    assert len(rows) == 3 + len(known["responses"])
    assert "ResponseId" in rows[0] and "Q1" in rows[0]
    identifiers = [json.loads(cell) for cell in rows[2]]
    assert {"ImportId": "QID1"} in identifiers
    assert {"ImportId": "recordedDate", "timeZone": "Z"} in identifiers
    labelled = list(csv.reader(io.StringIO(unpack(qualtrics.export(format="csv", useLabels=True)[0])[1].decode())))
    assert "Very satisfied" in {row[rows[0].index("Q1")] for row in labelled}


def test_invitations_are_told_by_distribution(qualtrics: Qualtrics, known: Rows) -> None:
    mailings = qualtrics.every("distributions", surveyId=qualtrics.survey, pageSize=40)
    assert len(mailings) == len({row["distribution_id"] for row in known["invitations"]})
    told = {}
    for mailing in mailings:
        assert len(mailing["id"]) == 19
        for row in qualtrics.every(f"distributions/{mailing['id']}/history", pageSize=7):
            told[f"{row['distributionId']}:{row['contactId']}"] = (row, mailing["embeddedData"]["team"])
    delivered = ("Success", "Opened", "SurveyStarted", "SurveyPartiallyFinished", "SurveyFinished")
    words = {
        "HardBounce": "bounced",
        "SoftBounce": "bounced",
        "Failure": "failed",
        "Blocked": "suppressed",
        **dict.fromkeys(delivered, "delivered"),
    }
    teams = {team["survey_team"]: team["team"] for team in known["teams"]}
    assert told.keys() == {row["invitation_id"] for row in known["invitations"]}
    for true in known["invitations"]:
        row, team = told[true["invitation_id"]]
        assert (words[row["status"]], teams[team], row["sentAt"]) == (true["outcome"], true["team"], true["sent_at"])
        assert row["responseId"] in (None, *true["responses"])
    stats = [mailing["stats"] for mailing in mailings]
    answered = sum(1 for row, _ in told.values() if row["status"] == "SurveyFinished")
    assert sum(stat["finished"] for stat in stats) == answered
    assert sum(stat["bounced"] for stat in stats) == sum(words[row["status"]] == "bounced" for row, _ in told.values())


def test_an_invitation_moves_from_sent_to_finished(qualtrics: Qualtrics, emulators: Running, known: Rows) -> None:
    answers = {row["response_id"]: row for row in known["responses"]}
    true = next(
        row
        for row in known["invitations"]
        if len(row["responses"]) == 1 and answers[row["responses"][0]]["verdict"] == "counted"
    )
    answer = answers[true["responses"][0]]
    seen = []
    for instant in (true["sent_at"], answer["started_at"], answer["recorded_at"]):
        emulators.set_now(datetime.fromisoformat(instant).astimezone(UTC))
        rows = qualtrics.every(f"distributions/{true['distribution_id']}/history")
        row = next(row for row in rows if row["contactId"] == true["contact_id"])
        seen.append((row["status"], row["responseId"]))
    assert seen == [("Success", None), ("SurveyStarted", None), ("SurveyFinished", answer["response_id"])]
    emulators.set_now(datetime.fromisoformat(true["sent_at"]) - timedelta(minutes=10))
    assert true["distribution_id"] not in [
        row["id"] for row in qualtrics.every("distributions", surveyId=qualtrics.survey)
    ]


def test_distributions_need_a_survey(qualtrics: Qualtrics) -> None:
    assert qualtrics.session.get(f"{qualtrics.root}/distributions", timeout=30).status_code == 400
