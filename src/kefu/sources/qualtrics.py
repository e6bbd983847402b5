"""Qualtrics: surveys, whom they were sent to and what was answered.

Lands in ``raw_qualtrics``:

    surveys      the configured surveys         read whole
    questions    their questions and choices    read whole, kept when gone; metric and scale from the settings
    responses    one row per response           export job; the last window_days are exported again for late edits
    answers      one row per answered question  with their response: an edit replaces all answers of it
    invitations  one row per distribution and   history of each distribution; read again while invitation_days old
                 contact

An export is a job: start, ask for its status, fetch a zip. Values are exported as codes, labels stand beside them.
Responses of every status land, previews and tests too: staging decides.

Credentials: SOURCES__QUALTRICS__API_TOKEN.
"""

from __future__ import annotations

import json
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import IO, Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from kefu.errors import KefuError
from kefu.sources import Extraction, Kind, Page, Table, pages, secret_name
from kefu.sources.http import Api, HttpOptions
from kefu.sources.pages import JSON, TIMESTAMP, Row, dump, text

TEXT, INTEGER, BOOLEAN = pa.string(), pa.int64(), pa.bool_()

_FIRST_POLL, _LONGEST_POLL = 0.2, 5.0  # seconds between two questions about a job
_DOWNLOADS = 3  # of one file that arrives damaged
_PAGE = 5_000  # responses a page

# What every response has beside its answers; whatever else it holds that is no answer is embedded data.
_STANDARD = {
    "startDate",
    "endDate",
    "recordedDate",
    "status",
    "finished",
    "progress",
    "duration",
    "distributionChannel",
    "userLanguage",
    "ipAddress",
    "locationLatitude",
    "locationLongitude",
    "recipientFirstName",
    "recipientLastName",
    "recipientEmail",
    "externalDataReference",
    "_recordId",
}


class Question(BaseModel):
    """What a question measures and on which scale (seed dim_scale)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: Literal["csat", "nps", "ces", "fcr", "other"]
    scale: str = Field(min_length=1)


class Fields(BaseModel):
    """The embedded data fields that tie a response to a contact."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ticket_id: str = "ticket_id"
    agent: str = "agent"
    team: str = "team"


class Options(HttpOptions):
    """Settings in ``[sources.qualtrics]``."""

    surveys: tuple[str, ...] = Field(min_length=1, description="Ids of the surveys to read: SV_...")
    questions: dict[str, Question] = Field(
        {}, description="Question id, or 'survey id.question id', to its metric and scale."
    )
    fields: Fields = Fields()
    start_date: date | None = Field(None, description="Where the first export starts; else where the survey began.")
    window_days: int = Field(7, ge=0, description="How far back responses are exported again, for late edits.")
    invitation_days: int = Field(30, ge=0, description="How long the history of a distribution is read again.")
    export_days: int = Field(92, ge=1, description="A longer period is exported in pieces of so many days.")
    export_timeout_seconds: float = Field(1800, gt=0, description="How long one export job may take.")


TABLES = (
    Table(
        "surveys",
        {"survey_id": TEXT, "name": TEXT, "is_active": BOOLEAN, "last_modified": TIMESTAMP},
        key=("survey_id",),
        description="One row per configured survey.",
    ),
    Table(
        "questions",
        {
            "survey_id": TEXT,
            "question_id": TEXT,
            "export_tag": TEXT,
            "question_text": TEXT,
            "question_type": TEXT,
            "choices": JSON,
            "metric": TEXT,
            "scale": TEXT,
        },
        key=("survey_id", "question_id"),
        description="One row per question; metric and scale as the settings say.",
    ),
    Table(
        "responses",
        {
            "survey_id": TEXT,
            "response_id": TEXT,
            "started_at": TIMESTAMP,
            "ended_at": TIMESTAMP,
            "recorded_at": TIMESTAMP,
            "status": pa.int32(),
            "finished": BOOLEAN,
            "progress": pa.int32(),
            "duration_seconds": INTEGER,
            "distribution_channel": TEXT,
            "ticket_id": TEXT,
            "contact_reference": TEXT,
            "agent": TEXT,
            "team": TEXT,
            "embedded": JSON,
        },
        key=("survey_id", "response_id"),
        description="One row per response, of any status (0 normal, 1 preview, 2 test, 8 spam, ...).",
        root=("response_id",),
        lookups=(("response_id",),),
    ),
    Table(
        "answers",
        {"survey_id": TEXT, "response_id": TEXT, "question_id": TEXT, "value": TEXT, "label": TEXT},
        key=("survey_id", "response_id", "question_id"),
        description="One row per answered question: the code, and its label at the time of the export.",
        root=("response_id",),
        lookups=(("response_id",),),
    ),
    Table(
        "invitations",
        {
            "distribution_id": TEXT,
            "contact_id": TEXT,
            "survey_id": TEXT,
            "status": TEXT,
            "sent_at": TIMESTAMP,
            "response_id": TEXT,
            "ticket_id": TEXT,
            "agent": TEXT,
            "team": TEXT,
        },
        key=("distribution_id", "contact_id"),
        description="One row per distribution and contact: what became of an invitation.",
        root=("distribution_id", "contact_id"),
        lookups=(("response_id",),),
    ),
)
_TABLES = {table.name: table for table in TABLES}


def extract(extraction: Extraction) -> Iterator[Page]:
    """The surveys as they are, and everything recorded or sent since the cursors, less the trailing windows."""
    api = _api(extraction)
    listed = {row["id"]: row for row in _elements(api, "API/v3/surveys") if "id" in row}
    for survey_id in extraction.options.surveys:
        if survey_id not in listed:
            raise KefuError(
                f"{extraction.name}: there is no survey {survey_id}.",
                expected=f"one the token may see: {', '.join(sorted(listed)) or 'it sees none'}",
                where=f"{extraction.options.base_url}, surveys in [sources.{extraction.name}]",
                do=f"Correct the id, or share the survey with the owner of {api.credential}.",
            )
        yield from _survey(extraction, api, survey_id, listed[survey_id])
        yield from _invitations(extraction, api, survey_id)
        yield from _responses(extraction, api, survey_id, listed[survey_id])


def check(extraction: Extraction) -> str:
    """Look whether the token sees the surveys; says how many."""
    api = _api(extraction).once()
    for survey_id in extraction.options.surveys:
        _result(api, f"API/v3/survey-definitions/{survey_id}")
    return f"{extraction.options.base_url} shows all {len(extraction.options.surveys)} surveys"


def response_rows(survey_id: str, response: Row, fields: Fields) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One response of an export as a row of ``responses`` and its rows of ``answers``."""
    values, labels = response.get("values") or {}, response.get("labels") or {}
    answered = {name: value for name, value in values.items() if name.startswith("QID") and value is not None}
    embedded = {name: value for name, value in values.items() if name not in _STANDARD and not name.startswith("QID")}
    response_id = response.get("responseId")
    row = {
        "survey_id": survey_id,
        "response_id": response_id,
        "started_at": values.get("startDate"),
        "ended_at": values.get("endDate"),
        "recorded_at": values.get("recordedDate"),
        "status": values.get("status"),
        "finished": values.get("finished"),
        "progress": values.get("progress"),
        "duration_seconds": values.get("duration"),
        "distribution_channel": values.get("distributionChannel"),
        "ticket_id": _none_if_empty(embedded.get(fields.ticket_id)),
        "contact_reference": values.get("externalDataReference"),
        "agent": _none_if_empty(embedded.get(fields.agent)),
        "team": _none_if_empty(embedded.get(fields.team)),
        "embedded": dump(embedded),
    }
    answers = [
        {
            "survey_id": survey_id,
            "response_id": response_id,
            "question_id": name,
            "value": text(value),
            "label": text(labels.get(name)),
        }
        for name, value in answered.items()
    ]
    return row, answers


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


def _api(extraction: Extraction) -> Api:
    return Api(
        source=extraction.name,
        options=extraction.options,
        credential=secret_name(extraction.name, "API_TOKEN"),
        headers={"X-API-TOKEN": extraction.secret("API_TOKEN")},
        progress=extraction.progress,
    )


def _result(api: Api, path: str, **params: Any) -> dict[str, Any]:
    result = api.get(path, **params).get("result")
    if not isinstance(result, dict):
        raise api.unexpected(path, "no object 'result'")
    return result


def _elements(api: Api, path: str, **params: Any) -> Iterator[dict[str, Any]]:
    """The elements of a list, page after page; the next one's place is in the query of ``nextPage``."""
    from urllib.parse import parse_qsl, urlsplit

    seen = set()
    while True:
        result = _result(api, path, **params)
        elements = result.get("elements")
        if not isinstance(elements, list):
            raise api.unexpected(path, "no list 'elements'")
        yield from elements
        following = result.get("nextPage")
        if not following:
            return
        if following in seen:
            raise api.unexpected(path, f"the next page is {following} again")
        seen.add(following)
        params |= dict(parse_qsl(urlsplit(following).query))


def _survey(extraction: Extraction, api: Api, survey_id: str, listed: Row) -> Iterator[Page]:
    path = f"API/v3/survey-definitions/{survey_id}"
    definition = _result(api, path)
    questions = definition.get("Questions") or {}
    if not isinstance(questions, dict):
        raise api.unexpected(path, "Questions is no object")
    survey = {
        "survey_id": survey_id,
        "name": listed.get("name"),
        "is_active": listed.get("isActive"),
        "last_modified": listed.get("lastModified"),
    }
    yield "surveys", _page(extraction, "surveys", [survey])
    metrics = extraction.options.questions
    rows = []
    for question_id, question in questions.items():
        measured = metrics.get(f"{survey_id}.{question_id}") or metrics.get(question_id)
        rows.append(
            {
                "survey_id": survey_id,
                "question_id": question_id,
                "export_tag": question.get("DataExportTag"),
                "question_text": question.get("QuestionText"),
                "question_type": question.get("QuestionType"),
                "choices": dump(question.get("Choices") or None),
                "metric": measured.metric if measured else None,
                "scale": measured.scale if measured else None,
            }
        )
    yield "questions", _page(extraction, "questions", rows)


def _responses(extraction: Extraction, api: Api, survey_id: str, listed: Row) -> Iterator[Page]:
    """What was recorded since the latest response that is known, less the window; then the cursor moves."""
    cursors = extraction.state.setdefault("recorded", {})
    start = _first_instant(extraction, listed)
    known: str | None = cursors.get(survey_id)
    if known:
        start = max(start, datetime.fromisoformat(known) - timedelta(days=extraction.options.window_days))
    latest = known or ""
    for begin, end in _pieces(start, datetime.now(UTC), timedelta(days=extraction.options.export_days)):
        for some in _batches(_exported(extraction, api, survey_id, begin, end)):
            yield from _response_pages(extraction, survey_id, some)
            recorded = [str((each.get("values") or {}).get("recordedDate") or "") for each in some]
            latest = max([latest, *recorded])
        if latest:
            cursors[survey_id] = latest


def _first_instant(extraction: Extraction, listed: Row) -> datetime:
    chosen = extraction.options.start_date
    if chosen:
        return datetime(chosen.year, chosen.month, chosen.day, tzinfo=UTC)
    return pages.instant(listed.get("creationDate")) or datetime(2002, 1, 1, tzinfo=UTC)  # older than any


def _pieces(start: datetime, now: datetime, length: timedelta) -> Iterator[tuple[datetime, datetime | None]]:
    """The period from ``start`` on in pieces; the last has no end, for clocks differ."""
    while start + length < now:
        yield start, start + length
        start += length
    yield start, None


def _exported(
    extraction: Extraction, api: Api, survey_id: str, begin: datetime, end: datetime | None
) -> list[dict[str, Any]]:
    """The responses recorded in a period. A file that cannot be read is fetched again before giving up."""
    path = f"API/v3/surveys/{survey_id}/export-responses/{_finished_job(extraction, api, survey_id, begin, end)}/file"
    with tempfile.TemporaryFile() as file:
        attempt = 0
        while True:
            attempt += 1
            size = api.download(path, file)
            try:
                return _unzip(file)
            except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
                if attempt == _DOWNLOADS:
                    raise KefuError(
                        f"{extraction.name}: what the export brought cannot be read.",
                        expected="a zip with one JSON file that holds a list 'responses'",
                        found=f"{size} bytes: {error}",
                        where=f"{extraction.options.base_url}/{path}",
                        do="Run it again later; if it stays, ask the vendor's support.",
                    ) from error


def _finished_job(extraction: Extraction, api: Api, survey_id: str, begin: datetime, end: datetime | None) -> str:
    """Run one export job; returns the id of its file. A failed job answers with HTTP 200 too: only its status says."""
    path = f"API/v3/surveys/{survey_id}/export-responses"
    period = {"startDate": _iso(begin)} | ({"endDate": _iso(end)} if end else {})
    started = api.post(path, {"format": "json", "timeZone": "UTC", **period}).get("result") or {}
    job = started.get("progressId")
    if not job:
        raise api.unexpected(path, "no progressId")
    deadline, pause = time.monotonic() + extraction.options.export_timeout_seconds, _FIRST_POLL
    status, said = started, time.monotonic()
    while not (status.get("status") == "complete" and status.get("fileId")):
        if status.get("status") != "inProgress":
            raise KefuError(
                f"{extraction.name}: the export of survey {survey_id} failed.",
                found=f"status {status.get('status')!r}, {status.get('percentComplete')} % done, no file",
                where=f"{extraction.options.base_url}/{path}/{job}, from {_iso(begin)}",
                do="Run it again. If it stays, make export_days of the source smaller, or ask the vendor's support.",
            )
        if time.monotonic() > deadline:
            raise KefuError(
                f"{extraction.name}: the export of survey {survey_id} does not come to an end.",
                expected=f"a file within {extraction.options.export_timeout_seconds:g} s",
                found=f"{status.get('percentComplete')} % done",
                where=f"{extraction.options.base_url}/{path}/{job}",
                do="Run it again later, raise export_timeout_seconds of the source or make export_days smaller.",
            )
        time.sleep(pause)
        pause = min(_LONGEST_POLL, pause * 1.5)
        status = _result(api, f"{path}/{job}")
        if time.monotonic() - said > _LONGEST_POLL:
            said = time.monotonic()
            extraction.progress(
                f"{extraction.name}: waiting for the export of {survey_id}, {status.get('percentComplete')} %"
            )
    return str(status["fileId"])


def _unzip(file: IO[bytes]) -> list[dict[str, Any]]:
    """The responses in an export. Raises ValueError or what zipfile raises if it holds none."""
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        if len(names) != 1:
            raise ValueError(f"an archive of {len(names)} files")
        with archive.open(names[0]) as content:
            body = json.load(content)
    responses = body.get("responses") if isinstance(body, dict) else None
    if not isinstance(responses, list):
        raise ValueError("no list 'responses'")
    return responses


def _batches(responses: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for begin in range(0, len(responses), _PAGE):
        yield responses[begin : begin + _PAGE]


def _response_pages(extraction: Extraction, survey_id: str, responses: list[dict[str, Any]]) -> Iterator[Page]:
    rows, answers = [], []
    for response in responses:
        row, answered = response_rows(survey_id, response, extraction.options.fields)
        rows.append(row)
        answers += answered
        if row["response_id"]:
            # An answer that was taken back in a later edit goes.
            extraction.supersede("answers", survey_id=survey_id, response_id=str(row["response_id"]))
    yield "responses", _page(extraction, "responses", rows)
    yield "answers", _page(extraction, "answers", answers)


def _invitations(extraction: Extraction, api: Api, survey_id: str) -> Iterator[Page]:
    """Every distribution that is new, or so recent that its history may still move."""
    cursors = extraction.state.setdefault("sent", {})
    latest: str = cursors.get(survey_id, "")
    since = ""
    if latest:
        since = _iso(datetime.fromisoformat(latest) - timedelta(days=extraction.options.invitation_days))
    for distribution in _elements(api, "API/v3/distributions", surveyId=survey_id):
        sent = str(distribution.get("sendDate") or "")
        if distribution.get("requestType", "Invite") != "Invite" or (sent and sent < since):
            continue
        history = _elements(api, f"API/v3/distributions/{distribution.get('id')}/history")
        rows = [_invitation(extraction, survey_id, distribution, entry) for entry in history]
        yield "invitations", _page(extraction, "invitations", rows)
        latest = max(latest, sent)
    if latest:
        cursors[survey_id] = latest


def _invitation(extraction: Extraction, survey_id: str, distribution: Row, entry: Row) -> dict[str, Any]:
    # The history itself names neither team nor ticket; what was sent along with the distribution does.
    embedded = {**(distribution.get("embeddedData") or {}), **(entry.get("embeddedData") or {})}
    fields = extraction.options.fields
    return {
        "distribution_id": distribution.get("id"),
        "contact_id": entry.get("contactId"),
        "survey_id": survey_id,
        "status": entry.get("status"),
        "sent_at": entry.get("sentAt") or distribution.get("sendDate"),
        "response_id": entry.get("responseId"),
        "ticket_id": _none_if_empty(embedded.get(fields.ticket_id)),
        "agent": _none_if_empty(embedded.get(fields.agent)),
        "team": _none_if_empty(embedded.get(fields.team)),
    }


def _page(extraction: Extraction, table: str, rows: list[dict[str, Any]]) -> pa.Table:
    where = f"{extraction.name}: {extraction.options.base_url}"
    return pages.build(_TABLES[table], rows, extraction.reject, where=where)


def _iso(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


KIND = Kind(
    name="qualtrics",
    channel="survey",
    title="Qualtrics",
    options=Options,
    tables=TABLES,
    extract=extract,
    schedule="*/30 * * * *",
    secrets=("API_TOKEN",),
    check=check,
)
