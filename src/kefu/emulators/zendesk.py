"""An emulator of the Zendesk Support API, for what Kefu and its judges ask of it.

Faithful where it hurts: cursors that never end by themselves, time-based pages that repeat seconds, rows of the last
minute withheld, ten incremental calls a minute, deleted tickets with an old ``updated_at`` and no metric set, lists
whose last page still has a next link. Every path works with and without ``.json``, also below ``/<account>/``.

From memory, not from record: the bodies of 400, 422 and 429, holidays, and the event of another schedule.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from kefu.emulators.clock import Clock, parse
from kefu.emulators.limits import Bucket, Rates
from kefu.emulators.zendesk_account import Account, Row, Version

WITHHELD = 60
PAGE = 1000
LIST_PAGE = 100


class RefusedError(Exception):
    """A call that is answered with an error."""

    def __init__(self, status: int, body: Row) -> None:
        """Say with which status and body."""
        super().__init__(status)
        self.status, self.body = status, body


Handler = Callable[[Request], Awaitable[Response]]


class Zendesk:
    """One account behind its API. ``gateway`` chooses the age of the rate-limit headers: 2023 or 2024."""

    def __init__(
        self, directory: Path, clock: Clock, *, email: str, token: str, rates: Rates, gateway: int = 2024
    ) -> None:
        """Read the account's state and open its doors."""
        self.account = Account(directory)
        self.clock = clock
        self._secrets = {
            "Basic " + base64.b64encode(f"{email}/token:{token}".encode()).decode(),
            f"Bearer {token}",
        }
        self._rates = rates
        self._gateway = gateway
        self._calls = Bucket(rates.account, rates.window)
        self._exports = Bucket(rates.incremental, rates.window)

    def app(self) -> Starlette:
        """The API as an application, to be mounted under a prefix."""
        paths: dict[str, Handler] = {
            "/incremental/tickets/cursor": self._incremental(self.tickets_by_cursor),
            "/incremental/tickets": self._incremental(self.tickets_by_time),
            "/incremental/ticket_events": self._incremental(self.ticket_events),
            "/incremental/users/cursor": self._incremental(self.users_by_cursor),
            "/incremental/users": self._incremental(self.users_by_time),
            "/incremental/organizations": self._incremental(self.organizations),
            "/groups": self._guarded(self.groups),
            "/group_memberships": self._guarded(self.group_memberships),
            "/business_hours/schedules": self._guarded(self.schedules),
            "/business_hours/schedules/{id:int}/holidays": self._guarded(self.holidays),
            "/slas/policies": self._guarded(self.policies),
            "/satisfaction_ratings": self._guarded(self.satisfaction_ratings),
            "/deleted_tickets": self._guarded(self.deleted_tickets),
            "/users/me": self._guarded(self.me),
            "/users/{id:int}": self._guarded(self.show_user),
            "/tickets/{id:int}": self._guarded(self.show_ticket),
        }
        routes = [Route(path + suffix, handler) for path, handler in paths.items() for suffix in ("", ".json")]
        return Starlette(
            routes=[Mount("/api/v2", routes=routes), Mount("/{account}/api/v2", routes=routes)],
            exception_handlers={404: self._not_found, RefusedError: self._refused},
        )

    # Incremental exports

    async def tickets_by_cursor(self, request: Request) -> Row:
        """GET /incremental/tickets/cursor."""
        until, url = self._visible, _root(request)
        metric_sets = "metric_sets" in request.query_params.get("include", "").split(",")
        return self._cursor_page(
            request,
            "tickets",
            self.account.tickets(until),
            lambda version: self.account.ticket(version, until, url, metric_sets=metric_sets),
        )

    async def tickets_by_time(self, request: Request) -> Row:
        """GET /incremental/tickets, the older, time-based form."""
        until, url = self._visible, _root(request)
        metric_sets = "metric_sets" in request.query_params.get("include", "").split(",")
        # Within a second the rows are not in the order of their ids.
        versions = sorted(self.account.tickets(until), key=lambda version: (version.at, version.id * 7919 % 10007))
        return self._time_page(
            request,
            "tickets",
            versions,
            lambda version: self.account.ticket(version, until, url, metric_sets=metric_sets),
        )

    async def ticket_events(self, request: Request) -> Row:
        """GET /incremental/ticket_events: time-based only."""
        comments = "comment_events" in request.query_params.get("include", "").split(",")
        versions = self.account.events(self._visible)
        return self._time_page(
            request, "ticket_events", versions, lambda version: self.account.event(version, comments=comments)
        )

    async def users_by_cursor(self, request: Request) -> Row:
        """GET /incremental/users/cursor."""
        url = _root(request)
        return self._cursor_page(
            request, "users", self.account.users(self._visible), lambda version: self.account.user(version, url)
        )

    async def users_by_time(self, request: Request) -> Row:
        """GET /incremental/users."""
        url = _root(request)
        return self._time_page(
            request, "users", self.account.users(self._visible), lambda version: self.account.user(version, url)
        )

    async def organizations(self, request: Request) -> Row:
        """GET /incremental/organizations: this account has none."""
        return self._time_page(request, "organizations", [], lambda version: version.row)

    def _cursor_page(
        self, request: Request, name: str, versions: Sequence[Version], render: Callable[[Version], Row]
    ) -> Row:
        """Rows strictly after the cursor, in the order (instant, id). The links are set on the last page too."""
        size = self._page_size(request)
        if "cursor" in request.query_params:
            after = _decode_cursor(request.query_params["cursor"])
        else:
            after = (self._start_time(request), 0)
        begin = bisect_right(versions, after, key=lambda version: (version.at, version.id))
        page = versions[begin : begin + size]
        last = (page[-1].at, page[-1].id) if page else after
        cursor = base64.b64encode(f"{last[0]}.0||{last[1]}|".encode()).decode()
        kept = {key: request.query_params[key] for key in ("include", "per_page") if key in request.query_params}
        link = f"{_root(request)}/incremental/{name}/cursor.json?{urlencode({'cursor': cursor, **kept})}"
        return {
            name: [render(version) for version in page],
            "after_url": link,
            "before_url": None,
            "after_cursor": cursor,
            "before_cursor": None,
            "end_of_stream": begin + len(page) == len(versions),
        }

    def _time_page(
        self, request: Request, name: str, versions: Sequence[Version], render: Callable[[Version], Row]
    ) -> Row:
        """Rows from ``start_time`` on. A short page is filled up to the end of its last second and the next call
        begins a second later; a page full to the brim, and the last one, leave the next call to repeat a second."""
        start, size = self._start_time(request), self._page_size(request)
        begin = bisect_left(versions, start, key=lambda version: version.at)
        end = min(begin + size, len(versions))
        while size < PAGE and begin < end < min(len(versions), begin + PAGE) and _same_second(versions, end):
            end += 1
        page = versions[begin:end]
        complete = end == len(versions)
        end_time = page[-1].at if page else start
        if not complete and size < PAGE and not _same_second(versions, end):
            end_time += 1
        kept = {key: request.query_params[key] for key in ("include", "per_page") if key in request.query_params}
        link = f"{_root(request)}/incremental/{name}.json?{urlencode({**kept, 'start_time': end_time})}"
        return {
            name: [render(version) for version in page],
            "count": len(page),
            "end_of_stream": complete,
            "next_page": link,
            "end_time": end_time,
        }

    # Lists

    async def groups(self, request: Request) -> Row:
        """GET /groups."""
        url = _root(request)
        rows = [{"url": f"{url}/groups/{group['id']}.json", **group} for group in self.account.groups]
        return self._list(request, "groups", rows)

    async def group_memberships(self, request: Request) -> Row:
        """GET /group_memberships."""
        url = _root(request)
        rows = [
            {"url": f"{url}/group_memberships/{row['id']}.json", **row}
            for row in self.account.memberships(self.clock.now)
        ]
        return self._list(request, "group_memberships", rows)

    async def schedules(self, request: Request) -> Row:
        """GET /business_hours/schedules, in one page; zones have the vendor's own names."""
        return {
            "schedules": [
                {key: value for key, value in schedule.items() if key != "iana_time_zone"}
                for schedule in self.account.schedules
            ],
            "url": f"{_root(request)}/business_hours/schedules.json",
        }

    async def holidays(self, request: Request) -> Row:
        """GET /business_hours/schedules/{id}/holidays, in one page."""
        schedule = request.path_params["id"]
        rows = self.account.holidays(schedule)
        if rows is None:
            raise RefusedError(404, {"error": "RecordNotFound", "description": "Not found"})
        return {"holidays": rows, "url": f"{_root(request)}/business_hours/schedules/{schedule}/holidays.json"}

    async def policies(self, request: Request) -> Row:
        """GET /slas/policies."""
        url = _root(request)
        rows = [{"url": f"{url}/slas/policies/{row['id']}.json", **row} for row in self.account.policies]
        return {"sla_policies": rows, "count": len(rows), "next_page": None, "previous_page": None}

    async def satisfaction_ratings(self, request: Request) -> Row:
        """GET /satisfaction_ratings: filters by score and by the time of the last change."""
        query = request.query_params
        rows = self.account.ratings(self.clock.now, _root(request))
        if score := query.get("score"):
            rows = [row for row in rows if _has_score(row, score)]
        since, before = _whole(query.get("start_time"), 0), _whole(query.get("end_time"), 2**62)
        rows = [row for row in rows if since <= _epoch(row["updated_at"]) <= before]
        return self._list(request, "satisfaction_ratings", rows)

    async def deleted_tickets(self, request: Request) -> Row:
        """GET /deleted_tickets."""
        return self._list(request, "deleted_tickets", self.account.deleted(self.clock.now))

    async def me(self, request: Request) -> Row:
        """GET /users/me: the administrator whose token this is."""
        first = min(self.account.users(self.clock.now), key=lambda version: version.id)
        return {"user": self.account.user(first, _root(request))}

    async def show_user(self, request: Request) -> Row:
        """GET /users/{id}."""
        for version in self.account.users(self.clock.now):
            if version.id == request.path_params["id"]:
                return {"user": self.account.user(version, _root(request))}
        raise RefusedError(404, {"error": "RecordNotFound", "description": "Not found"})

    async def show_ticket(self, request: Request) -> Row:
        """GET /tickets/{id}; a deleted ticket is not found."""
        for version in self.account.tickets(self.clock.now):
            if version.id == request.path_params["id"] and version.row["status"] != "deleted":
                row = self.account.ticket(version, self.clock.now, _root(request), metric_sets=False)
                return {"ticket": row}
        raise RefusedError(404, {"error": "RecordNotFound", "description": "Not found"})

    def _list(self, request: Request, name: str, rows: Sequence[Row]) -> Row:
        """A list in cursor paging (``page[size]``) or, without it, in offset paging. The next link of the last
        cursor page is set all the same; ``has_more`` says that nothing is behind it."""
        query = request.query_params
        if "page[size]" in query or "page[after]" in query:
            size = min(_whole(query.get("page[size]"), LIST_PAGE), LIST_PAGE)
            after = _decode_list_cursor(query["page[after]"]) if "page[after]" in query else 0
            rest = [row for row in rows if row["id"] > after]
            page = rest[:size]
            first, last = (_list_cursor(page[0]["id"]), _list_cursor(page[-1]["id"])) if page else (None, None)

            def link(side: str, cursor: str | None) -> str | None:
                if cursor is None:
                    return None
                kept = {key: value for key, value in query.items() if not key.startswith("page[")}
                paging = {**kept, f"page[{side}]": cursor, "page[size]": size}
                return f"{_root(request)}/{name}.json?{urlencode(paging)}"

            return {
                name: page,
                "meta": {
                    "has_more": len(rest) > len(page),
                    "after_cursor": last,
                    "before_cursor": first,
                },
                "links": {"prev": link("before", first), "next": link("after", last)},
            }
        size = min(_whole(query.get("per_page"), LIST_PAGE), LIST_PAGE)
        number = max(_whole(query.get("page"), 1), 1)
        page = list(rows[(number - 1) * size : number * size])

        def turn(to: int) -> str | None:
            if not 0 < to <= -(-len(rows) // size):
                return None
            return f"{_root(request)}/{name}.json?{urlencode({**dict(query), 'page': to})}"

        return {name: page, "next_page": turn(number + 1), "previous_page": turn(number - 1), "count": len(rows)}

    # At the door

    @property
    def _visible(self) -> int:
        """Exports withhold what changed in the last minute."""
        return self.clock.now - WITHHELD

    def _start_time(self, request: Request) -> int:
        given = request.query_params.get("start_time")
        if given is None or not given.lstrip("-").isdigit():
            raise RefusedError(
                400, {"error": {"title": "Parameter Error", "message": "start_time must be a Unix epoch time"}}
            )
        if int(given) > self.clock.now - WITHHELD:
            raise RefusedError(
                422,
                {
                    "error": "StartTimeTooRecent",
                    "description": "Too recent start_time. Use a start_time older than 1 minute",
                },
            )
        return int(given)

    @staticmethod
    def _page_size(request: Request) -> int:
        return min(max(_whole(request.query_params.get("per_page"), PAGE), 1), PAGE)

    def _incremental(self, handler: Callable[[Request], Awaitable[Row]]) -> Handler:
        return self._guarded(handler, self._exports)

    def _guarded(self, handler: Callable[[Request], Awaitable[Row]], also: Bucket | None = None) -> Handler:
        """Check the token, count the call, answer as JSON with the vendor's headers."""

        async def guarded(request: Request) -> Response:
            if request.headers.get("authorization") not in self._secrets:
                return self._reply(
                    {"error": "Couldn't authenticate you"}, 401, {"www-authenticate": 'Basic realm="Web Password"'}
                )
            for bucket in (self._calls, also):
                wait = bucket.take() if bucket else 0
                if wait and self._rates.enforced:
                    return self._reply(
                        {
                            "error": "APIRateLimitExceeded",
                            "description": "Number of allowed API requests per minute exceeded",
                        },
                        429,
                        {"retry-after": str(wait)},
                    )
            return self._reply(await handler(request))

        return guarded

    def _reply(self, content: Any, status: int = 200, more: dict[str, str] | None = None) -> Response:
        body = orjson.dumps(content)
        limit, left, reset = str(self._calls.allowed), str(self._calls.remaining), str(self._calls.reset())
        names = ("rate-limit", "rate-limit-remaining", "rate-limit-reset")
        if self._gateway >= 2024:
            names = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
        headers = {
            "Date": self.clock.http_date(),
            "cache-control": "max-age=0, private, must-revalidate",
            "etag": f'W/"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"',
            **dict(zip(names, (limit, left, reset), strict=True)),
            "x-rate-limit": limit,
            "x-rate-limit-remaining": left,
            **(more or {}),
        }
        return Response(body, status, headers, media_type="application/json; charset=utf-8")

    async def _not_found(self, request: Request, error: Exception) -> Response:
        return self._reply({"error": "InvalidEndpoint", "description": "Not found"}, 404)

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        return self._reply(error.body, error.status)


def _root(request: Request) -> str:
    """The API's address as the caller knows it, prefix and all."""
    path = request.url.path
    return f"{request.url.scheme}://{request.url.netloc}{path[: path.index('/api/v2')]}/api/v2"


def _same_second(versions: Sequence[Version], place: int) -> bool:
    return versions[place].at == versions[place - 1].at


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and text.isdigit() else default


def _epoch(instant: str) -> int:
    return int(parse(instant).timestamp())


def _has_score(row: Row, wanted: str) -> bool:
    kind, _, comment = wanted.partition("_with")
    fits = row["score"] in ("good", "bad") if kind == "received" else row["score"] == kind
    if not comment:
        return fits
    return fits and bool(row["comment"]) == (comment == "_comment")


def _decode_cursor(cursor: str) -> tuple[int, int]:
    """The place a cursor stands for: base64 of ``<instant>.0||<id>|``."""
    try:
        instant, _, rest = base64.b64decode(cursor, validate=True).decode().partition("||")
        return int(float(instant)), int(rest.rstrip("|") or 0)
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise RefusedError(400, {"error": "InvalidCursor", "description": "The cursor is not valid"}) from error


def _list_cursor(place: int) -> str:
    value = base64.b64encode(str(place).encode()).decode()
    return base64.b64encode(json.dumps({"o": "id", "v": value}, separators=(",", ":")).encode()).decode()


def _decode_list_cursor(cursor: str) -> int:
    try:
        return int(base64.b64decode(json.loads(base64.b64decode(cursor, validate=True))["v"]))
    except (binascii.Error, KeyError, ValueError, TypeError) as error:
        raise RefusedError(
            400, {"errors": [{"code": "InvalidPaginationParameter", "title": "Invalid cursor"}]}
        ) from error
