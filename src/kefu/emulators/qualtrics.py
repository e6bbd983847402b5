"""An emulator of the Qualtrics v3 API, for what Kefu and its judges ask of it.

Responses are exported by a job: start, poll, fetch a zip with one file (JSON, or CSV with three header rows). A job may
end as failed with HTTP 200. Export filters look at the recorded date, so an answer edited later would not show.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
import zipfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from kefu.emulators.clock import Clock, parse
from kefu.simulator.files import read_lines
from kefu.simulator.world import iso

Row = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]

LIST_PAGE = 100
STATUS_LINES = {
    200: "200 - OK",
    400: "400 - Bad Request",
    401: "401 - Unauthorized",
    404: "404 - Not Found",
}
METADATA = (
    "startDate", "endDate", "status", "progress", "duration", "finished", "recordedDate", "_recordId",
    "externalDataReference", "recipientEmail", "distributionChannel", "userLanguage",
)  # fmt: skip
METADATA_LABELS = {
    "status": {0: "IP Address", 1: "Survey Preview", 2: "Survey Test", 8: "Spam"},
    "finished": {0: "False", 1: "True"},
}
NPS_GROUPS = {1: "Detractor", 2: "Passive", 3: "Promoter"}
BOUNCES = ("HardBounce", "SoftBounce")


class RefusedError(Exception):
    """A call that is answered with an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Say with which status, error code and message."""
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass
class _Job:
    survey: str
    polls: int
    file: str
    content: bytes
    continuation: str | None


class Qualtrics:
    """One account behind its API. A job answers ``inProgress`` to its first ``polls`` polls."""

    def __init__(self, directory: Path, clock: Clock, *, token: str, polls: int = 1) -> None:
        """Read the account's state and open its doors."""
        self.clock = clock
        self._token = token
        self._polls = polls
        self._surveys: list[Row] = list(read_lines(directory / "surveys.jsonl"))
        self._responses: list[Row] = list(read_lines(directory / "responses.jsonl"))
        self._distributions: list[Row] = list(read_lines(directory / "distributions.jsonl"))
        self._history: dict[str, list[Row]] = {}
        for invitation in read_lines(directory / "history.jsonl"):
            self._history.setdefault(invitation["distribution_id"], []).append(invitation)
        self._jobs: dict[str, _Job] = {}
        self._files: dict[str, _Job] = {}
        self._requests = 0

    def app(self) -> Starlette:
        """The API as an application, to be mounted under a prefix."""
        paths: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
            ("GET", "/whoami", self._guarded(self.whoami)),
            ("GET", "/surveys", self._guarded(self.surveys)),
            ("GET", "/survey-definitions/{survey}", self._guarded(self.definition)),
            ("POST", "/surveys/{survey}/export-responses", self._guarded(self.start_export)),
            ("GET", "/surveys/{survey}/export-responses/{job}", self._guarded(self.poll_export)),
            ("GET", "/surveys/{survey}/export-responses/{file}/file", self.fetch_file),
            ("GET", "/distributions", self._guarded(self.distributions)),
            ("GET", "/distributions/{distribution}", self._guarded(self.distribution)),
            ("GET", "/distributions/{distribution}/history", self._guarded(self.history)),
        ]
        routes = [
            Route(path + slash, handler, methods=[method]) for method, path, handler in paths for slash in ("", "/")
        ]
        return Starlette(
            routes=[Mount("/API/v3", routes=routes), Mount("/{account}/API/v3", routes=routes)],
            exception_handlers={404: self._not_found, RefusedError: self._refused},
        )

    # Surveys

    async def whoami(self, request: Request) -> Row:
        """GET /whoami."""
        return {"brandId": "centre", "userId": self._surveys[0]["owner_id"], "userName": "kefu#centre"}

    async def surveys(self, request: Request) -> Row:
        """GET /surveys."""
        elements = [
            {
                "id": survey["id"],
                "name": survey["name"],
                "ownerId": survey["owner_id"],
                "lastModified": survey["last_modified"],
                "creationDate": survey["created_at"],
                "isActive": True,
            }
            for survey in self._surveys
        ]
        return self._page(request, elements)

    async def definition(self, request: Request) -> Row:
        """GET /survey-definitions/{survey}."""
        survey = self._survey(request)
        return {
            "SurveyID": survey["id"],
            "SurveyName": survey["name"],
            "SurveyStatus": "Active",
            "OwnerID": survey["owner_id"],
            "CreatorID": survey["owner_id"],
            "BrandID": "centre",
            "LastModified": survey["last_modified"],
            "LastAccessed": survey["last_modified"],
            "LastActivated": survey["created_at"],
            "QuestionCount": str(len(survey["questions"])),
            "Questions": {question["id"]: _question(question) for question in survey["questions"]},
            "Blocks": {
                "BL_" + survey["id"][3:]: {
                    "Type": "Default",
                    "Description": "Default Question Block",
                    "BlockElements": [
                        {"Type": "Question", "QuestionID": question["id"]} for question in survey["questions"]
                    ],
                }
            },
            "SurveyFlow": {
                "Type": "Root",
                "FlowID": "FL_1",
                "Flow": [
                    {
                        "Type": "EmbeddedData",
                        "FlowID": "FL_2",
                        "EmbeddedData": [
                            {"Description": name, "Type": "Recipient", "Field": name, "VariableType": "String"}
                            for name in survey["embedded"]
                        ],
                    },
                    {"Type": "Standard", "ID": "BL_" + survey["id"][3:], "FlowID": "FL_3"},
                ],
            },
            "SurveyOptions": {"SurveyLanguage": "EN", "PartialData": "+1 week"},
        }

    # Exports

    async def start_export(self, request: Request) -> Row:
        """POST /surveys/{survey}/export-responses: prepare the file, as of now."""
        survey = self._survey(request)
        try:
            wanted = await request.json()
        except json.JSONDecodeError:
            wanted = None
        if not isinstance(wanted, dict) or wanted.get("format") not in ("json", "csv"):
            raise RefusedError(400, "ERROR_BAD_REQUEST", "Missing or invalid parameter: format")
        token = wanted.get("continuationToken")
        if token and ("startDate" in wanted or "endDate" in wanted):
            raise RefusedError(400, "ERROR_BAD_REQUEST", "continuationToken does not go with startDate or endDate")
        since, before = 0, self.clock.now + 1
        if token:
            since = _decode_token(token, survey["id"]) + 1
        if "startDate" in wanted:
            since = _instant(wanted["startDate"])
        if "endDate" in wanted:
            before = min(before, _instant(wanted["endDate"]))
        rows = [
            response
            for response in self._responses
            if response["survey_id"] == survey["id"] and since <= response["recorded_at"] < before
        ]
        if isinstance(wanted.get("limit"), int):
            rows = rows[: wanted["limit"]]
        if wanted.get("exportResponsesInProgress"):
            rows = []
        if wanted["format"] == "json":
            name, content = f"{survey['name']}.json", _as_json(survey, rows)
        else:
            name, content = f"{survey['name']}.csv", _as_csv(survey, rows, labels=bool(wanted.get("useLabels")))
        number = len(self._jobs) + 1
        continuation = None
        if wanted.get("allowContinuation") or token:
            continuation = base64.b64encode(f"{survey['id']}|{self.clock.now}".encode()).decode()
        job = _Job(survey["id"], self._polls, f"{number:08d}-file", _zipped(name, content), continuation)
        self._jobs[f"ES_{number:012d}"] = job
        return {"progressId": f"ES_{number:012d}", "percentComplete": 0.0, "status": "inProgress"}

    async def poll_export(self, request: Request) -> Row:
        """GET /surveys/{survey}/export-responses/{job}."""
        job = self._jobs.get(request.path_params["job"])
        if job is None or job.survey != request.path_params["survey"]:
            raise RefusedError(404, "QVAL_1", "The requested export job does not exist")
        if job.polls > 0:
            job.polls -= 1
            return {"percentComplete": 50.0, "status": "inProgress"}
        self._files[job.file] = job
        done: Row = {"fileId": job.file, "percentComplete": 100.0, "status": "complete"}
        if job.continuation:
            done["continuationToken"] = job.continuation
        return done

    async def fetch_file(self, request: Request) -> Response:
        """GET /surveys/{survey}/export-responses/{file}/file: the zip."""
        self._authenticate(request)
        job = self._files.get(request.path_params["file"])
        if job is None or job.survey != request.path_params["survey"]:
            raise RefusedError(404, "QVAL_1", "The requested file does not exist")
        headers = {"Date": self.clock.http_date(), "content-disposition": "attachment; filename=export.zip"}
        return Response(job.content, media_type="application/octet-stream", headers=headers)

    # Distributions

    async def distributions(self, request: Request) -> Row:
        """GET /distributions?surveyId=: the mailings of a survey."""
        survey = request.query_params.get("surveyId")
        if survey is None:
            raise RefusedError(400, "QVAL_1", "Missing parameter: surveyId")
        return self._page(
            request,
            [
                self._distribution(row)
                for row in self._distributions
                if row["survey_id"] == survey and row["sent_at"] <= self.clock.now
            ],
        )

    async def distribution(self, request: Request) -> Row:
        """GET /distributions/{distribution}?surveyId=."""
        return self._distribution(self._mailing(request))

    async def history(self, request: Request) -> Row:
        """GET /distributions/{distribution}/history: what became of each invitation."""
        mailing, now = self._mailing(request), self.clock.now
        elements = []
        for invitation in self._history.get(mailing["id"], []):
            states = [status for at, status in invitation["states"] if at <= now]
            if not states:
                continue
            started = invitation["started_at"] if (invitation["started_at"] or now + 1) <= now else None
            completed = invitation["completed_at"] if (invitation["completed_at"] or now + 1) <= now else None
            opened = invitation["opened_at"] if (invitation["opened_at"] or now + 1) <= now else None
            contact = invitation["contact_id"]
            elements.append(
                {
                    "contactId": contact,
                    "contactLookupId": "CGC_" + contact[4:],
                    "distributionId": mailing["id"],
                    "status": states[-1],
                    "surveyLink": f"https://centre.qualtrics.example/jfe/form/{mailing['survey_id']}?Q_CHL=email",
                    "contactFrequencyRuleId": "FQ_week" if states[-1] == "Blocked" else None,
                    "responseId": invitation["response_id"] if completed else None,
                    "responseCompletedAt": _iso(completed),
                    "sentAt": iso(invitation["sent_at"]),
                    "openedAt": _iso(opened),
                    "responseStartedAt": _iso(started),
                    "surveySessionId": "FS_" + contact[4:] if started else None,
                }
            )
        return self._page(request, elements)

    def _distribution(self, mailing: Row) -> Row:
        states = [
            [status for at, status in invitation["states"] if at <= self.clock.now]
            for invitation in self._history.get(mailing["id"], [])
        ]

        def count(*wanted: str) -> int:
            return sum(1 for statuses in states if any(status in wanted for status in statuses))

        sent = iso(mailing["sent_at"])
        return {
            "id": mailing["id"],
            "parentDistributionId": None,
            "ownerId": self._surveys[0]["owner_id"],
            "organizationId": "centre",
            "requestStatus": "Done",
            "requestType": "Invite",
            "sendDate": sent,
            "createdDate": sent,
            "modifiedDate": sent,
            "customHeaders": {},
            "headers": {
                "fromEmail": "survey@centre.example",
                "replyToEmail": "help@centre.example",
                "fromName": "Service centre",
                "subject": "How was your call? 您对来电服务满意吗？",
            },
            "recipients": {
                "mailingListId": "CG_" + mailing["id"][4:],
                "contactId": None,
                "libraryId": "UR_" + mailing["survey_id"][3:],
                "sampleId": None,
            },
            "message": {
                "libraryId": "UR_" + mailing["survey_id"][3:],
                "messageId": "MS_" + mailing["survey_id"][3:],
                "messageType": "Invite",
                "messageText": None,
            },
            "surveyLink": {
                "surveyId": mailing["survey_id"],
                "expirationDate": iso(mailing["sent_at"] + 60 * 86400),
                "linkType": "Individual",
            },
            "embeddedData": {"team": mailing["team"]},
            "stats": {
                "sent": len(states) - count("Blocked", "Failure"),
                "failed": count("Failure"),
                "started": count("SurveyStarted"),
                "bounced": count(*BOUNCES),
                "opened": count("Opened"),
                "skipped": 0,
                "finished": count("SurveyFinished"),
                "complaints": 0,
                "blocked": count("Blocked"),
            },
        }

    # At the door

    def _survey(self, request: Request) -> Row:
        for survey in self._surveys:
            if survey["id"] == request.path_params["survey"]:
                return survey
        raise RefusedError(404, "QVAL_1", "The requested survey does not exist")

    def _mailing(self, request: Request) -> Row:
        for mailing in self._distributions:
            if mailing["id"] == request.path_params["distribution"] and mailing["sent_at"] <= self.clock.now:
                return mailing
        raise RefusedError(404, "QVAL_1", "The requested distribution does not exist")

    def _page(self, request: Request, elements: Sequence[Row]) -> Row:
        """A page of a list; ``nextPage`` is a whole address or null."""
        query = request.query_params
        size = min(max(int(query.get("pageSize", LIST_PAGE)), 1), LIST_PAGE)
        begin = int(query.get("skipToken") or query.get("offset") or 0)
        more = None
        if begin + size < len(elements):
            kept = {key: value for key, value in query.items() if key not in ("skipToken", "offset")}
            path = f"{request.url.scheme}://{request.url.netloc}{request.url.path}"
            more = f"{path}?{urlencode({**kept, 'skipToken': begin + size})}"
        return {"elements": elements[begin : begin + size], "nextPage": more}

    def _authenticate(self, request: Request) -> None:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._token not in (request.headers.get("x-api-token"), bearer):
            raise RefusedError(401, "AUTH_6", "Unrecognized X-API-TOKEN.")

    def _guarded(self, handler: Callable[[Request], Awaitable[Row]]) -> Handler:
        async def guarded(request: Request) -> Response:
            self._authenticate(request)
            return self._reply(200, {"result": await handler(request)})

        return guarded

    def _reply(self, status: int, content: Row, error: Row | None = None) -> Response:
        self._requests += 1
        meta: Row = {
            "requestId": f"{self._requests:08d}-0000-4000-8000-000000000000",
            "httpStatus": STATUS_LINES[status],
        }
        if error:
            meta["error"] = error
        headers = {"Date": self.clock.http_date()}
        return Response(orjson.dumps({**content, "meta": meta}), status, headers, "application/json")

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        return self._reply(error.status, {}, {"errorMessage": error.message, "errorCode": error.code})

    async def _not_found(self, request: Request, error: Exception) -> Response:
        return self._reply(404, {}, {"errorMessage": "The requested resource does not exist.", "errorCode": "404"})


def _question(question: Row) -> Row:
    choices = question["choices"]
    defined: Row = {
        "QuestionID": question["id"],
        "QuestionText": question["text"],
        "QuestionDescription": question["text"],
        "DataExportTag": question["tag"],
        "QuestionType": question["type"],
        "Selector": question["selector"],
        "Configuration": {"QuestionDescriptionOption": "UseText"},
        "Validation": {"Settings": {"ForceResponse": "OFF", "Type": "None"}},
        "Language": [],
    }
    if choices:
        defined["Choices"] = {code: {"Display": text} for code, text in choices.items()}
        defined["ChoiceOrder"] = list(choices)
        defined["RecodeValues"] = {code: code for code in choices}
    return defined


def _values(row: Row) -> Row:
    """A response's values as exported: the NPS question brings its group along."""
    values = dict(row["values"])
    if "QID2" in values:
        values["QID2_NPS_GROUP"] = 3 if values["QID2"] >= 9 else 2 if values["QID2"] >= 7 else 1
    return values


def _labels(survey: Row, values: Row) -> Row:
    """The words behind the codes."""
    labels = {name: words[values[name]] for name, words in METADATA_LABELS.items() if name in values}
    for question in survey["questions"]:
        if question["choices"] and question["id"] in values:
            labels[question["id"]] = question["choices"][str(values[question["id"]])]
    if "QID2_NPS_GROUP" in values:
        labels["QID2_NPS_GROUP"] = NPS_GROUPS[values["QID2_NPS_GROUP"]]
    return labels


def _fields(survey: Row) -> Iterator[tuple[Row, str, str]]:
    """What an answer to each question is exported as: the question, the field and the tag; one may have several."""
    more = {"QID2": (("QID2_NPS_GROUP", "Q2_NPS_GROUP"), ("QID2", "Q2")), "QID3": (("QID3_TEXT", "Q3"),)}
    for question in survey["questions"]:
        for field, tag in more.get(question["id"], ((question["id"], question["tag"]),)):
            yield question, field, tag


def _as_json(survey: Row, rows: Sequence[Row]) -> bytes:
    displayed = [field for _, field, _ in _fields(survey)]
    shown = {
        question["id"]: [int(code) for code in question["choices"]]
        for question in survey["questions"]
        if question["choices"]
    }
    responses = []
    for row in rows:
        values = _values(row)
        responses.append(
            {
                "responseId": row["id"],
                "values": values,
                "labels": _labels(survey, values),
                "displayedFields": displayed,
                "displayedValues": {**shown, "QID2_NPS_GROUP": [1, 2, 3]},
            }
        )
    return orjson.dumps({"responses": responses})


def _as_csv(survey: Row, rows: Sequence[Row], *, labels: bool) -> bytes:
    """Three header rows: names, texts, import ids with the zone of the dates."""
    names = [name for name in METADATA if name != "_recordId"]
    columns = ["ResponseId" if name == "_recordId" else name[0].upper() + name[1:] for name in METADATA]
    texts = list(columns)
    ids = list(METADATA)
    for question, field, tag in _fields(survey):
        columns.append(tag)
        texts.append(question["text"])
        ids.append(field)
    columns += survey["embedded"]
    texts += survey["embedded"]
    ids += survey["embedded"]
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    writer.writerow(texts)
    dates = {"startDate", "endDate", "recordedDate"} & set(names)
    writer.writerow(
        json.dumps({"ImportId": name, "timeZone": "Z"} if name in dates else {"ImportId": name}) for name in ids
    )
    for row in rows:
        values = _values(row)
        words = _labels(survey, values) if labels else {}
        shown = {name: words.get(name, value) for name, value in values.items()}
        for name in dates:
            shown[name] = str(shown[name]).replace("T", " ").removesuffix("Z")
        writer.writerow([shown.get(name, "") for name in ids])
    return ("\ufeff" + buffer.getvalue()).encode()


def _zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content)
    return buffer.getvalue()


def _decode_token(token: str, survey: str) -> int:
    try:
        owner, _, instant = base64.b64decode(token, validate=True).decode().partition("|")
        if owner != survey:
            raise ValueError(owner)
        return int(instant)
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise RefusedError(400, "ERROR_BAD_REQUEST", "Invalid continuationToken") from error


def _instant(text: object) -> int:
    try:
        return int(parse(str(text)).timestamp())
    except ValueError as error:
        raise RefusedError(400, "ERROR_BAD_REQUEST", f"Not a date: {text}") from error


def _iso(at: int | None) -> str | None:
    return None if at is None else iso(at)
