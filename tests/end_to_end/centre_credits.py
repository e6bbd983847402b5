"""Who a rating is about, from the simulator's truth: how long whom had it in hand, and the teams' shares of it.

The house's rule (time_weighted) a second time, on plain rows: seconds an agent had the ticket while it was new or open;
handle time of a call; where there was none, those who replied or solved alike; then who has it. Shares are millionths
rounded down, the rest going to the largest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
Hand = tuple[str, str]  # agent, team
MILLION = 1_000_000


def ticket_shares(ticket: Row, until: str, ids: Mapping[str, str]) -> dict[str, Decimal]:
    """Team to its share of a rating given at ``until``; ``ids`` are the agents' ids by name."""
    updates: dict[int, Row] = {}
    for name in ("statuses", "teams", "agents", "comments"):
        for entry in ticket[name]:
            if _at(entry["at"]) <= _at(until):
                updates.setdefault(entry["n"], {"at": entry["at"]})[name] = entry
    places = sorted(updates)
    hands: dict[Hand, int] = defaultdict(int)
    last_act: dict[str, str] = {}
    status, team, agent = "new", "none", "none"
    solved = {entry["n"]: entry["by"] for entry in ticket["solved"]}
    for place, n in enumerate(places):
        update = updates[n]
        status = update["statuses"]["value"] if "statuses" in update else status
        team = update["teams"]["value"] or "none" if "teams" in update else team
        agent = update["agents"]["value"] or "none" if "agents" in update else agent
        ends = updates[places[place + 1]]["at"] if place + 1 < len(places) else until
        if status in ("new", "open") and agent != "none":
            hands[agent, team] += _seconds(update["at"], ends)
        comment = update.get("comments")
        if comment and comment["public"] and comment["by"]["kind"] == "agent" and n > 1:
            last_act[comment["by"]["name"]] = team
        elif n in solved and solved[n]["kind"] == "agent":
            last_act[solved[n]["name"]] = team
    acts = dict.fromkeys(last_act.items(), 1)
    held = {hand: seconds for hand, seconds in hands.items() if seconds}
    return _by_team(held or acts or {(agent, team): 1}, ids)


def call_shares(call: Row) -> dict[str, Decimal]:
    """Team to its share of a rating of the call."""
    hands: dict[Hand, int] = defaultdict(int)
    for visit in call["visits"]:
        if visit["outcome"] == "answered":
            hands[visit["agent"], visit["team"]] += visit["talk_seconds"] + visit["wrap_seconds"]
    return _by_team(hands, {})


def _by_team(parts: Mapping[Hand, int], ids: Mapping[str, str]) -> dict[str, Decimal]:
    total = sum(parts.values())
    shares = {hand: part * MILLION // total for hand, part in parts.items()}
    largest = min(parts, key=lambda hand: (-parts[hand], ids.get(hand[0], hand[0]), hand[1]))
    shares[largest] += MILLION - sum(shares.values())
    found: dict[str, Decimal] = defaultdict(Decimal)
    for (_, team), share in shares.items():
        if share:
            found[team] += Decimal(share) / MILLION
    return dict(found)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _seconds(start: str, end: str) -> int:
    return int((_at(end) - _at(start)).total_seconds())
