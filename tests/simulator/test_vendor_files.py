"""What the vendors' systems hold agrees with the truth, read back by rules of its own."""

from __future__ import annotations

import gzip
import hashlib
from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kefu.emulators import asterisk as growing
from kefu.simulator import Summary, asterisk
from kefu.simulator.files import read_lines

Rows = dict[str, list[dict[str, Any]]]
HANDLED = ("COMPLETEAGENT", "COMPLETECALLER", "BLINDTRANSFER", "ATTENDEDTRANSFER")


def age(path: Path) -> int:
    parts = path.name.split(".")
    return int(parts[1]) if len(parts) > 1 else 0


def log_files(directory: Path) -> list[Path]:
    """Oldest first."""
    return sorted(directory.glob("queue_log*"), key=age, reverse=True)


def content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def whole_log(directory: Path) -> bytes:
    return b"".join(content(path) for path in log_files(directory))


@pytest.fixture(scope="module")
def log(world: Summary) -> list[list[str]]:
    return [line.split("|") for line in whole_log(world.directory / "asterisk").decode().splitlines()]


def epoch(instant: str) -> int:
    return int(datetime.fromisoformat(instant).timestamp())


# Asterisk


def test_the_log_never_goes_back_in_time(log: list[list[str]]) -> None:
    times = [int(line[0]) for line in log]
    assert times == sorted(times)


def visits_in(log: list[list[str]]) -> dict[str, list[dict[str, Any]]]:
    """Every wait, ring, talk and wrap-up of every visit, from the log's own fields."""
    visits: dict[str, list[dict[str, Any]]] = defaultdict(list)
    wrapping: dict[str, tuple[dict[str, Any], int]] = {}
    for place, (at, callid, queue, agent, event, *data) in enumerate(log):
        if event == "ENTERQUEUE":
            visits[callid].append({"queue": queue, "entered": int(at), "outcome": None, "wrap": 0, "rings": 0})
        elif event == "PAUSE" and data[0] == "wrapup":
            before = log[place - 1]
            assert before[4] in HANDLED and before[3] == agent and before[0] == at
            wrapping[agent] = (visits[before[1]][-1], int(at))
        elif event == "UNPAUSE" and data[0] == "wrapup":
            visit, since = wrapping.pop(agent)
            visit["wrap"] = int(at) - since
        elif callid in visits:
            happen(visits[callid][-1], int(at), agent, event, data)
    return visits


def happen(visit: dict[str, Any], at: int, agent: str, event: str, data: list[str]) -> None:
    if event == "CONNECT":
        visit |= {"outcome": "answered", "agent": agent, "wait": int(data[0]), "ring": int(data[2])}
        assert at - visit["entered"] == int(data[0])
    elif event in ("ABANDON", "EXITWITHTIMEOUT"):
        visit |= {"outcome": {"ABANDON": "abandoned"}.get(event, "timed_out"), "wait": int(data[2])}
    elif event == "RINGNOANSWER":
        visit["rings"] += 1
    elif event in HANDLED:
        visit |= {"talk": int(data[3]) if event.endswith("TRANSFER") else int(data[1]), "event": event}
        assert at - visit["entered"] - visit["wait"] == visit["talk"]


def test_calls_read_from_the_log_are_the_calls_that_happened(log: list[list[str]], known: Rows) -> None:
    visits = visits_in(log)
    assert list(visits) == [call["call_id"] for call in known["calls"]]
    for call in known["calls"]:
        logged = visits[call["call_id"]]
        for seen, true in zip(logged, call["visits"], strict=True):
            assert seen["queue"] == true["queue"]
            assert seen["entered"] == epoch(true["entered_at"])
            assert (seen["outcome"], seen["wait"]) == (true["outcome"], true["wait_seconds"])
            assert seen["rings"] == true["rings_unanswered"]
            if true["outcome"] == "answered":
                assert seen["agent"] == true["agent"]
                assert (seen["ring"], seen["talk"]) == (true["ring_seconds"], true["talk_seconds"])
                assert seen["wrap"] == true["wrap_seconds"]
                assert seen["event"].endswith("TRANSFER") == bool(true["transferred_to"])
        answered = [visit for visit in logged if visit["outcome"] == "answered"]
        assert (call["outcome"] == "answered") == bool(answered)
        assert call["talk_seconds"] == sum(visit["talk"] for visit in answered)
        assert call["wrap_seconds"] == sum(visit["wrap"] for visit in answered)
        until = logged[: logged.index(answered[0]) + 1] if answered else logged
        assert call["wait_seconds"] == sum(visit["wait"] for visit in until)


def test_an_agent_talks_to_one_caller_at_a_time_and_only_at_work(log: list[list[str]]) -> None:
    present: set[str] = set()
    busy: dict[str, str] = {}
    for _, callid, _, agent, event, *data in log:
        if event == "ADDMEMBER":
            assert agent not in present
            present.add(agent)
        elif event == "REMOVEMEMBER":
            assert agent not in busy
            present.remove(agent)
        elif event == "CONNECT":
            assert agent in present and agent not in busy
            busy[agent] = callid
        elif event in HANDLED:
            assert busy.pop(agent) == callid
        elif event == "PAUSE":
            assert agent in present and agent not in busy
            busy[agent] = data[0]
        elif event == "UNPAUSE":
            assert busy.pop(agent) == data[0]


def test_other_pauses_are_not_wrap_up(log: list[list[str]]) -> None:
    reasons = {data[0] for *_, event, data in ((line[4], line[5:]) for line in log) if event == "PAUSE"}
    assert reasons == {"wrapup", "lunch", "break", "meeting", "training", "coaching"}


def test_lines_have_the_fields_the_true_system_writes(log: list[list[str]], shared: Path) -> None:
    def shapes(lines: list[list[str]]) -> dict[str, set[int]]:
        found: dict[str, set[int]] = defaultdict(set)
        for line in lines:
            found[line[4]].add(len(line))
        return found

    recorded = shapes(
        [
            line.split("|")
            for path in sorted((shared / "specs" / "asterisk").glob("queue_log*.txt"))
            for line in path.read_text().splitlines()
        ]
    )
    ours = shapes(log)
    assert recorded.keys() <= ours.keys()
    assert {event: ours[event] for event in recorded} == recorded


def test_rotation_cuts_at_mondays_midnight(world: Summary) -> None:
    zone = ZoneInfo(world.zone)
    files = log_files(world.directory / "asterisk")
    assert [path.name for path in files[-3:]] == ["queue_log.2.gz", "queue_log.1", "queue_log"]
    for earlier, later in pairwise(files):
        last = datetime.fromtimestamp(int(content(earlier).splitlines()[-1].split(b"|")[0]), zone)
        first = datetime.fromtimestamp(int(content(later).splitlines()[0].split(b"|")[0]), zone)
        assert last.isocalendar().week + 1 == first.isocalendar().week


def test_stored_gzip_is_true_gzip_of_any_length() -> None:
    for length in (0, 1, 65535, 65536, 200_001):
        sample = b"x" * length
        assert gzip.decompress(asterisk.compress(sample)) == sample


def test_a_growing_log_ends_as_the_whole_one(world: Summary, tmp_path: Path) -> None:
    zone = ZoneInfo(world.zone)
    at = datetime.combine(world.start, datetime.min.time(), zone)
    lines, inodes, rotated = 0, {}, []
    while at < world.now:
        at += timedelta(days=2, hours=7, minutes=13, seconds=11)
        lines += growing.advance(world.directory, tmp_path, at)
        live = tmp_path / "queue_log"
        if live.stat().st_ino not in inodes.values():
            rotated.append(at)
        inodes[at] = live.stat().st_ino
        if live.stat().st_size:
            assert int(live.read_bytes().splitlines()[-1].split(b"|")[0]) <= at.timestamp()
    assert lines == world.counts["queue_log"]
    assert whole_log(tmp_path) == whole_log(world.directory / "asterisk")
    assert {path.name for path in log_files(tmp_path)} == {
        path.name for path in log_files(world.directory / "asterisk")
    }
    assert len(rotated) < len(inodes), "the live file grows in place between rotations"
    assert growing.advance(world.directory, tmp_path, at) == 0, "the same instant again adds nothing"


# Zendesk


def test_tickets_told_by_their_events_are_the_tickets_that_happened(world: Summary, known: Rows) -> None:
    """Statuses, teams, agents, priorities and comments, folded from the vendor's events."""
    teams = {team["group_id"]: team["team"] for team in known["teams"]}
    names = {user["id"]: user["name"] for user in read_lines(world.directory / "zendesk" / "users.jsonl")}
    told: dict[int, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    last = 0
    for event in read_lines(world.directory / "zendesk" / "ticket_events.jsonl"):
        assert event["id"] > last, "ids follow time"
        last = event["id"]
        ticket, at = told[event["ticket_id"]], event["timestamp"]
        merged: dict[str, Any] = {}
        for child in event["children"]:
            if child["kind"] == "Comment":
                ticket["comments"].append((at, child["public"], child["author_id"]))
            elif child["kind"] == "ScheduleAssignment":
                merged["schedule"] = child["value"]
            elif child["kind"] in ("Create", "Change"):
                merged[child["field"]] = child["value"]
        for field, value in merged.items():
            ticket[field].append((at, value))
    words = {"hold": "on_hold"}
    default = next(iter(read_lines(world.directory / "zendesk" / "schedules.jsonl")))["id"]
    for ticket in known["tickets"]:
        seen = told[ticket["ticket_id"]]

        def entries(name: str, ticket: dict[str, Any] = ticket) -> list[tuple[int, Any]]:
            return [(epoch(entry["at"]), entry["value"]) for entry in ticket[name]]

        assert [(at, words.get(value, value)) for at, value in seen["status"]] == entries("statuses")
        assert [(at, teams[value]) for at, value in seen["group_id"]] == entries("teams")
        assert [(at, names.get(value)) for at, value in seen["assignee_id"]] == entries("agents")
        assert seen["priority"] == entries("priorities")
        schedules = entries("schedules")
        assert seen["schedule"] == (schedules[1:] if schedules[0][1] == default else schedules)
        comments = [(epoch(entry["at"]), entry["public"], entry["by"]["user_id"] or -1) for entry in ticket["comments"]]
        assert seen["comments"] == comments


def test_changes_continue_where_the_last_one_left_off(world: Summary) -> None:
    state: dict[tuple[int, str], Any] = {}
    for event in read_lines(world.directory / "zendesk" / "ticket_events.jsonl"):
        for child in event["children"]:
            if child["kind"] == "Create":
                state[event["ticket_id"], child["field"]] = child["value"]
            elif child["kind"] == "Change" and child["field"] != "tags":
                key = event["ticket_id"], child["field"]
                assert child["previous"] == state.get(key, "unoffered" if "satisfaction" in child["field"] else None)
                state[key] = child["value"]
    finals = {
        row["id"]: {key: value for _, changes in row["states"] for key, value in changes.items()}
        for row in read_lines(world.directory / "zendesk" / "tickets.jsonl")
    }
    for (ticket, field), value in state.items():
        if field not in ("requester_id", "subject"):
            assert finals[ticket][field] == value


def test_solves_reopens_and_moves_follow_from_the_histories(known: Rows) -> None:
    for ticket in known["tickets"]:
        values = [entry["value"] for entry in ticket["statuses"]]
        solved = [entry["n"] for entry in ticket["statuses"] if entry["value"] == "solved"]
        assert solved == [entry["n"] for entry in ticket["solved"]]
        pairs = pairwise(values)
        reopened = sum(1 for old, new in pairs if old == "solved" and new not in ("closed", "deleted"))
        assert reopened == len(ticket["reopened"])
        assert values[-1] == ticket["status"]
        for kind, name in (("team", "teams"), ("agent", "agents")):
            history = [entry["value"] for entry in ticket[name]]
            moves = sum(1 for old, new in pairwise(history) if old is not None and new != old)
            assert moves == sum(1 for move in ticket["moves"] if move["kind"] == kind)


def test_some_reopens_are_mere_thanks_and_some_come_after_two_weeks(known: Rows) -> None:
    quick = slow = late = 0
    for ticket in known["tickets"]:
        for entry in ticket["reopened"]:
            solved = max(epoch(other["at"]) for other in ticket["solved"] if other["n"] < entry["n"])
            late += epoch(entry["at"]) - solved > 14 * 86400
            again = [other for other in ticket["solved"] if other["n"] > entry["n"]]
            if not again:
                continue
            replied = any(
                entry["n"] < comment["n"] <= again[0]["n"] and comment["by"]["kind"] == "agent" and comment["public"]
                for comment in ticket["comments"]
            )
            if not replied:
                within = epoch(again[0]["at"]) - epoch(entry["at"]) <= 3600
                quick, slow = quick + within, slow + (not within)
    assert quick and slow and late


def test_a_ticket_row_has_two_clocks(world: Summary) -> None:
    differ = rows = 0
    for ticket in read_lines(world.directory / "zendesk" / "tickets.jsonl"):
        instants = [state[0] for state in ticket["states"]]
        assert instants == sorted(instants)
        updated = [changes["updated_at"] for _, changes in ticket["states"] if "updated_at" in changes]
        differ += epoch(updated[-1]) != instants[-1]
        rows += 1
        assert instants[0] >= epoch(ticket["created_at"])
    assert 0.3 < differ / rows < 0.8


# Qualtrics


def test_verdicts_follow_from_the_survey_systems_own_dates(world: Summary, known: Rows) -> None:
    """The last complete answer within seven days of the invitation counts."""
    folder = world.directory / "qualtrics"
    sent = {(row["distribution_id"], row["contact_id"]): row["sent_at"] for row in read_lines(folder / "history.jsonl")}
    chosen: dict[tuple[str, str], str] = {}
    verdicts: dict[str, str] = {}
    kinds = {1: "preview", 2: "test", 8: "spam"}
    for row in sorted(read_lines(folder / "responses.jsonl"), key=lambda row: row["values"]["endDate"]):
        values = row["values"]
        if values["status"] in kinds:
            verdicts[row["id"]] = kinds[values["status"]]
            continue
        key = values["distribution_id"], values["contact_id"]
        if not values["finished"]:
            verdicts[row["id"]] = "incomplete"
        elif epoch(values["endDate"]) - sent[key] > 7 * 86400:
            verdicts[row["id"]] = "too_late"
        else:
            if key in chosen:
                verdicts[chosen[key]] = "superseded"
            chosen[key], verdicts[row["id"]] = row["id"], "counted"
    assert verdicts == {row["response_id"]: row["verdict"] for row in known["responses"]}
    answered = {f"{mailing}:{contact}" for mailing, contact in chosen}
    assert answered == {row["invitation_id"] for row in known["invitations"] if row["answered"]}


def test_surveys_belong_to_calls_that_were_answered(known: Rows) -> None:
    calls = {call["call_id"]: call for call in known["calls"]}
    for invitation in known["invitations"]:
        call = calls[invitation["call_id"]]
        assert call["outcome"] == "answered"
        assert invitation["team"] == [visit for visit in call["visits"] if visit["agent"]][-1]["team"]
        assert epoch(invitation["sent_at"]) > epoch(call["ended_at"])
    assert len({invitation["invitation_id"] for invitation in known["invitations"]}) == len(known["invitations"])


def test_most_customers_know_whether_it_was_solved_the_first_time(known: Rows) -> None:
    calls = {call["call_id"]: call for call in known["calls"]}
    answered = [row for row in known["responses"] if row["invitation_id"] and row["finished"]]
    said: dict[tuple[bool, bool], list[bool]] = {}
    for row in answered:
        call, earlier = calls[row["call_id"]], []
        former = call
        while former["repeat_of"]:
            former = calls[former["repeat_of"]]
            earlier.append(former["outcome"] == "answered")
        if row["solved"] is not None:
            said.setdefault((call["solved"], any(earlier)), []).append(row["solved"])
    silent = sum(row["solved"] is None for row in answered) / len(answered)
    assert 0.01 < silent < 0.09
    assert all(row["solved"] is None for row in known["responses"] if not row["finished"])
    assert 0.85 < share(said[True, False]) < 0.99
    assert 0.03 < share(said[False, False]) < 0.25
    again = [*said[True, True], *said[False, True]]
    assert len(again) > 5 and share(again) < 0.5


def share(said: list[bool]) -> float:
    """How many say yes."""
    return sum(said) / len(said)


def test_mails_and_numbers_belong_to_nobody(world: Summary) -> None:
    for user in read_lines(world.directory / "zendesk" / "users.jsonl"):
        assert user["email"].endswith(".example")
        assert user["phone"] is None or user["phone"].startswith("+999")


def test_files_end_with_a_line_and_no_two_are_the_same(world: Summary) -> None:
    digests = set()
    for path in world.directory.rglob("*.jsonl"):
        data = path.read_bytes()
        assert data.endswith(b"\n")
        digests.add(hashlib.sha256(data).digest())
    assert len(digests) == len(list(world.directory.rglob("*.jsonl")))
