"""How well customers and issues are recognised, scored against a centre of which we know who called about what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import combinations
from typing import Any

import pytest

from kefu import warehouse
from kefu.kpi import Question, ask
from tests.end_to_end.conftest import Centre

pytestmark = pytest.mark.slow

Pair = frozenset[str]


def read(centre: Centre, query: str) -> list[tuple[Any, ...]]:
    with warehouse.connect(centre.settings, "analyst") as connection:
        return connection.execute(query.encode()).fetchall()


def pairs(groups: Iterable[Iterable[str]]) -> set[Pair]:
    """Every two that are together."""
    return {frozenset(pair) for group in groups for pair in combinations(sorted(group), 2)}


def grouped(rows: Iterable[tuple[str, Any]]) -> list[list[str]]:
    found: dict[Any, list[str]] = {}
    for name, group in rows:
        found.setdefault(group, []).append(name)
    return list(found.values())


def true_contacts(centre: Centre) -> dict[str, tuple[str, str]]:
    """Customer and matter of every call and ticket the models keep."""
    calls = {f"asterisk-{call['call_id']}": (call["customer"], call["matter"]) for call in centre.truth["calls"]}
    return calls | {
        f"zendesk-{ticket['ticket_id']}": (ticket["customer"], ticket["matter"])
        for ticket in centre.truth["tickets"]
        if ticket["excluded"] in (None, "merged")
    }


def scored(what: str, found: set[Pair], true: set[Pair]) -> tuple[float, float]:
    """Precision and recall over pairs, printed."""
    right = len(found & true)
    precision, recall = right / len(found), right / len(true)
    print(f"{what}: {len(true)} pairs, {len(found)} found, precision {precision:.3f}, recall {recall:.3f}")
    return precision, recall


def test_a_customer_is_recognised_over_calls_and_tickets(centre: Centre) -> None:
    rows = read(
        centre,
        "select interaction_id, customer_id from marts.fct_contacts union all"
        " select ticket_id, customer_id from marts.fct_tickets where coalesce(excluded_reason, 'merged') = 'merged'",
    )
    true = true_contacts(centre)
    assert {name for name, _ in rows} == set(true)
    precision, recall = scored(
        "customers", pairs(grouped(rows)), pairs(grouped((name, who) for name, (who, _) in true.items()))
    )
    # nobody shares a number in this centre, and whoever has no ticket is known by theirs
    assert (precision, recall) == (1.0, 1.0)


def test_contacts_about_one_matter_are_one_issue(centre: Centre) -> None:
    rows = read(
        centre,
        "select coalesce(interaction_id, ticket_id), issue_id from marts.fct_issue_contacts",
    )
    true = true_contacts(centre)
    found = pairs(grouped(rows))
    precision, recall = scored("issues", found, pairs(grouped((name, what) for name, (_, what) in true.items())))
    assert precision >= 0.6
    assert recall >= 0.8
    by_match = Counter(row[0] for row in read(centre, "select link from marts.fct_issue_contacts"))
    print(f"links: {dict(by_match)}")
    assert by_match["reference"] > 0


def test_first_contact_resolution_is_near_the_truth(centre: Centre) -> None:
    """Of issues that are final: whether the true matter had one human contact, nothing after it, and no reopen."""
    truth = {call["call_id"]: call for call in centre.truth["calls"]}
    by_matter: dict[str, list[tuple[str, bool]]] = {}
    for call in truth.values():
        by_matter.setdefault(call["matter"], []).append((call["entered_at"], call["outcome"] == "answered"))
    for ticket in centre.truth["tickets"]:
        if ticket["excluded"] in (None, "merged") and ticket["created_by"] != "agent":
            replied = any(c["public"] and c["by"]["kind"] == "agent" for c in ticket["comments"][1:])
            human = replied or not ticket["comments"]
            by_matter.setdefault(ticket["matter"], []).append((ticket["created_at"], human))
            by_matter[ticket["matter"]] += [(entry["at"], False) for entry in ticket["reopened"]]
    once = {
        matter
        for matter, happened in by_matter.items()
        if sum(human for _, human in happened) == 1 and max(happened)[1]
    }
    matter_of = {name: matter for name, (_, matter) in true_contacts(centre).items()}
    rows = read(
        centre, "select substring(issue_id from 7), is_fcr from marts.fct_issues where is_final and is_resolved"
    )
    names = [(matter_of[issue_id.split("-", 1)[1]], is_fcr) for issue_id, is_fcr in rows]
    true_share = sum(matter in once for matter, _ in names) / len(names)
    [row] = ask(centre.settings, Question(kpi="first_contact_resolution"))
    agreement = sum((matter in once) == is_fcr for matter, is_fcr in names) / len(names)
    print(f"FCR {row['value']:.3f} of {row['n']}, true {true_share:.3f}, the same for {agreement:.3f} of issues")
    assert abs(row["value"] - true_share) < 0.08
    assert agreement >= 0.85


def test_the_match_rate_is_stated(centre: Centre) -> None:
    [row] = ask(centre.settings, Question(kpi="customer_link_rate"))
    print(f"customer link rate {row['value']:.3f} of {row['n']}")
    assert row["value"] >= 0.95
