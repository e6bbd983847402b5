"""Small HTTP calls to the stack's own servers on the loopback address; never through a proxy."""

from __future__ import annotations

from typing import Any

from kefu.errors import KefuError


class NoAnswerError(KefuError):
    """Nobody answered, or not in time."""


class Answer(dict[str, Any]):
    """The JSON object a server answered with, and the status it came with."""

    status: int = 200


def call(
    method: str,
    url: str,
    *,
    token: str | None = None,
    body: object = None,
    seconds: float = 60.0,  # a machine busy with its first start answers late
) -> Answer:
    """One request; the answer's JSON. An answer that is no object comes as ``{"text": ...}``.

    Raises NoAnswerError if nobody answers in time, KefuError if the status is 400 or more.
    """
    import requests

    with requests.Session() as session:
        session.trust_env = False
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            response = session.request(method, url, json=body, headers=headers, timeout=seconds)
        except requests.RequestException as error:
            raise NoAnswerError("A server of the stack does not answer.", found=str(error), where=url) from error
    if response.status_code >= 400:
        raise KefuError(
            "A server of the stack refused a request.",
            found=f"{response.status_code} {response.text[:500]}",
            where=f"{method} {url}",
        )
    try:
        content = response.json()
    except ValueError:
        content = response.text
    answer = Answer(content if isinstance(content, dict) else {"text": content})
    answer.status = response.status_code
    return answer


def answers(url: str, seconds: float = 3.0) -> bool:
    """Whether the URL answers with success."""
    try:
        call("GET", url, seconds=seconds)
    except KefuError:
        return False
    return True
