"""Asking a vendor's HTTP API: waits when told to, tries again when that can help, and fails with one message.

Every message names the address and the environment variable that holds the credentials; never the credentials.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

import requests
import tenacity
from pydantic import BaseModel, ConfigDict, Field, field_validator

from kefu.errors import KefuError

T = TypeVar("T")

_ATTEMPTS = 5  # for what may pass: a cut connection, a 500, half an answer
_FIRST_WAIT = 0.5
_LIMITED_WAIT = 5.0  # first wait for a 429 that does not say how long
_LONGEST_WAIT = 60.0
_PIECE = 1 << 20


class HttpOptions(BaseModel):
    """Settings every HTTP source has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str = Field(description="The account's address, without a path of the API.")
    ca_file: Path | None = Field(None, description="Certificates to trust instead of the machine's own.")
    timeout_seconds: float = Field(60, gt=0, description="How long one answer may take to begin.")
    patience_seconds: float = Field(900, ge=0, description="How long to wait, in all, to get one call answered.")

    @field_validator("base_url")
    @classmethod
    def _an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("expected an address such as 'https://acme.example.com'")
        if "@" in parts.netloc:
            raise ValueError("credentials do not belong in the address")
        return url.rstrip("/")


class _PassingError(Exception):
    """What went wrong may pass. ``after`` is how many seconds the vendor asked us to wait."""

    def __init__(self, failure: KefuError, *, limited: bool = False, after: float | None = None) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.limited = limited
        self.after = after


@dataclass
class Api:
    """A vendor's API as one source may use it. ``credential`` is the name of the variable, for messages."""

    source: str
    options: HttpOptions
    credential: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    auth: tuple[str, str] | None = field(default=None, repr=False)
    progress: Callable[[str], None] = lambda message: None
    _session: requests.Session | None = field(default=None, init=False, repr=False)

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """The JSON object behind ``path``. Raises KefuError."""
        return self._patiently(lambda: self._json("GET", path, params=params))

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The JSON object a POST of ``body`` answers with. Raises KefuError."""
        return self._patiently(lambda: self._json("POST", path, json=body))

    def download(self, path: str, to: IO[bytes]) -> int:
        """Write what is behind ``path`` to an open file, from its start; returns bytes. Raises KefuError."""
        return self._patiently(lambda: self._download(path, to))

    def once(self) -> Api:
        """The same API, but a failure is final at once: for a check."""
        hasty = Api(self.source, self.options, self.credential, self.headers, self.auth, self.progress)
        hasty.options = self.options.model_copy(update={"patience_seconds": 0})
        return hasty

    def unexpected(self, path: str, what: str) -> KefuError:
        """The error for an answer that is not what the API promises."""
        return KefuError(
            f"{self.source}: the answer of the API is not understood.",
            found=what,
            where=self._url(path),
            do=f"Check base_url of source {self.source}; it should be the account's own address. {self._credential()}",
        )

    def _url(self, path: str) -> str:
        return f"{self.options.base_url}/{path.lstrip('/')}"

    def _credential(self) -> str:
        return f"Its credentials are in {self.credential}."

    def _patiently(self, ask: Callable[[], T]) -> T:
        began = time.monotonic()

        def left() -> float:
            return self.options.patience_seconds - (time.monotonic() - began)

        def hopeless(state: tenacity.RetryCallState) -> bool:
            again = _again(state)
            return (not again.limited and state.attempt_number >= _ATTEMPTS) or wait(state) > left()

        def wait(state: tenacity.RetryCallState) -> float:
            again = _again(state)
            if again.after is not None:
                return again.after
            first = _LIMITED_WAIT if again.limited else _FIRST_WAIT
            return float(min(_LONGEST_WAIT, first * 2 ** (state.attempt_number - 1)))

        def say(state: tenacity.RetryCallState) -> None:
            self.progress(f"{self.source}: {_again(state).failure.found}; trying again in {wait(state):.0f} s")

        try:
            return tenacity.Retrying(
                retry=tenacity.retry_if_exception_type(_PassingError),
                stop=hopeless,
                wait=wait,
                before_sleep=say,
                reraise=True,
            )(ask)
        except _PassingError as again:
            raise again.failure from again.__cause__

    def _json(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        with self._answer(method, path, **request) as response:
            try:
                body = response.json()
            except ValueError as error:
                kind = response.headers.get("Content-Type", "no content type")
                failure = self.unexpected(path, f"no JSON but {kind}, {len(response.content)} bytes")
                raise _PassingError(failure) from error
            if not isinstance(body, dict):
                raise self.unexpected(path, f"a JSON {type(body).__name__} where an object belongs")
            return body

    def _download(self, path: str, to: IO[bytes]) -> int:
        to.seek(0)
        to.truncate()
        with self._answer("GET", path, stream=True) as response:
            return sum(to.write(piece) for piece in response.iter_content(_PIECE))

    @contextmanager
    def _answer(self, method: str, path: str, **request: Any) -> Iterator[requests.Response]:
        url = self._url(path)
        if self.options.ca_file:  # a session's own setting would lose against REQUESTS_CA_BUNDLE
            request["verify"] = str(self.options.ca_file)
        timeout = (min(10, self.options.timeout_seconds), self.options.timeout_seconds)
        try:
            with self._connection().request(method, url, timeout=timeout, **request) as response:
                self._refuse(response, f"{method} {url}")
                yield response
        except requests.exceptions.SSLError as error:
            raise KefuError(
                f"{self.source}: the certificate of the API is not trusted.",
                found=_deepest(error),
                where=url,
                do=f"Name its authority in ca_file of source {self.source} or in REQUESTS_CA_BUNDLE."
                f" {self._credential()}",
            ) from error
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ) as error:
            slow = isinstance(error, requests.Timeout)
            failure = KefuError(
                f"{self.source}: the API {'does not answer in time' if slow else 'cannot be reached'}.",
                found=f"no answer within {self.options.timeout_seconds:g} s" if slow else _deepest(error),
                where=url,
                do=f"Check base_url of source {self.source} ({self.options.base_url}) and the network."
                f" {self._credential()}",
            )
            raise _PassingError(failure) from error
        except requests.RequestException as error:
            raise self.unexpected(path, _deepest(error)) from error

    def _connection(self) -> requests.Session:
        if self._session is None:
            session = requests.Session()
            session.headers.update({"Accept": "application/json", "User-Agent": "kefu", **self.headers})
            session.auth = self.auth
            self._session = session
        return self._session

    def _refuse(self, response: requests.Response, where: str) -> None:
        status = response.status_code
        if status < 400:
            return
        found = f"HTTP {status}{self._said(response)}"
        where = where.split("?")[0]
        if status == 429 or (status == 503 and "Retry-After" in response.headers):
            failure = KefuError(
                f"{self.source}: the API limits how often it may be asked.",
                found=found,
                where=where,
                do="Run it again later, extract less often, or raise patience_seconds of the source."
                f" {self._credential()}",
            )
            raise _PassingError(failure, limited=True, after=_retry_after(response))
        base = f"base_url of source {self.source} ({self.options.base_url})"
        if status >= 500:
            raise _PassingError(
                KefuError(
                    f"{self.source}: the API has a fault of its own.",
                    found=found,
                    where=where,
                    do=f"Run it again later; if it stays, check {base}. {self._credential()}",
                )
            )
        summary, do = {
            401: (
                "the API refuses the credentials",
                f"Check {self.credential}, who it belongs to, and {base}.",
            ),
            403: (
                "the API does not allow this",
                f"Give the owner of {self.credential} the right to read it (often an administrator's),"
                f" or check {base}.",
            ),
            404: (
                "the API does not have this",
                f"Check {base} and the ids in the settings. {self._credential()}",
            ),
        }.get(
            status,
            (
                "the API refuses the request",
                f"Check the settings of source {self.source}. {self._credential()}",
            ),
        )
        raise KefuError(f"{self.source}: {summary}.", found=found, where=where, do=do)

    def _said(self, response: requests.Response) -> str:
        said = " ".join(response.text[:2000].split())[:200]
        for secret in (*(self.auth or ()), *self.headers.values()):
            said = said.replace(secret, "***")
        return f": {said}" if said and not said.startswith("<") else ""


def _again(state: tenacity.RetryCallState) -> _PassingError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, _PassingError)
    return error


def _retry_after(response: requests.Response) -> float | None:
    """The seconds to wait, from a number or a date; None if the vendor does not say."""
    value = response.headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _deepest(error: BaseException) -> str:
    """The first reason of a network failure, without the library's wrapping."""
    seen: list[BaseException] = [error]
    while following := (seen[-1].__cause__ or seen[-1].__context__):
        if following in seen or len(seen) > 20:
            break
        seen.append(following)
    for reason in reversed(seen):
        if said := " ".join(str(reason).split()):
            return said[:200]
    return type(error).__name__
