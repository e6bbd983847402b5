"""Customers and issues a second time, in Python: by definition at one instant, and pair by pair; no code is shared.

Identities are plain here, ``("phone", "13800000001")``; whoever compares hides them the way the models do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import permutations

Identity = tuple[str, str]
PHONE_DIGITS = 10


@dataclass(frozen=True)
class Version:
    """What one account of a source shows from an instant to another."""

    account: Identity
    starts: datetime
    ends: datetime
    reference: Identity | None = None
    email: Identity | None = None
    phone: Identity | None = None


def phone(text: str | None) -> Identity | None:
    """A number as it is compared."""
    digits = "".join(letter for letter in text or "" if letter.isdigit())
    return ("phone", digits[-PHONE_DIGITS:]) if len(digits) >= 7 else None


def email(text: str | None) -> Identity | None:
    """An address as it is compared."""
    return ("email", text.strip().lower()) if text and "@" in text else None


@dataclass
class People:
    """Who an identity tells at an instant, by the definition itself."""

    versions: list[Version]
    minimum: float = 0.7

    def customer(self, identity: Identity, at: datetime) -> tuple[Identity | None, float]:
        """The customer, or None where several show the identity; and how sure that is."""
        kind = identity[0]
        own = {"email": 0.9, "phone": 0.8}.get(kind, 1.0)
        shown = [version for version in self.versions if version.starts <= at < version.ends]
        if kind == "email":
            told = {v.reference: 0.9 for v in shown if v.email == identity and v.reference and self.minimum <= 0.9}
        elif kind == "phone":
            told = {}
            for version in shown:
                if version.phone == identity:
                    who, sure = self._owner_of_phone(version, at)
                    if who is not None and round(sure, 2) >= self.minimum:
                        told[who] = min(sure, told.get(who, 1.0))
        elif kind == "account":
            told = {}
            for version in shown:
                if version.account == identity:
                    who, sure = self._owner_of_account(version, at)
                    if who is not None and round(sure, 2) >= self.minimum:
                        told[who] = sure
        else:
            told = {}
        if not told:
            return identity, own
        if len(told) > 1:
            return None, 0.0
        [(who, sure)] = told.items()
        return who, round(sure, 2)

    def _owner_of_phone(self, version: Version, at: datetime) -> tuple[Identity | None, float]:
        if version.reference:
            return version.reference, 0.8
        if version.email:
            who, sure = self.customer(version.email, at)
            return (who, 0.8 * sure) if who else (version.account, 0.8)
        return None, 0.0

    def _owner_of_account(self, version: Version, at: datetime) -> tuple[Identity | None, float]:
        if version.reference:
            return version.reference, 1.0
        strongest = version.email or version.phone
        return self.customer(strongest, at) if strongest else (None, 0.0)


@dataclass
class Contact:
    """A call or ticket. ``hangs_on`` is the contact it refers to; ``ended`` is None while a ticket is open."""

    id: str
    customer: Identity | None
    sure: float
    team: str
    channel: str
    started: datetime
    ended: datetime | None
    source: str = ""
    queue: str = "none"
    is_contact: bool = True
    is_human: bool = True
    transferred: bool = False
    reopened: bool = False
    is_open: bool = False
    solved: bool = False
    hangs_on: str | None = None


@dataclass
class Issue:
    """Contacts about one matter, the first one in front."""

    customer: Identity
    contacts: list[Contact] = field(default_factory=list)
    window: tuple[int, int] = (7, 14)

    @property
    def first(self) -> Contact:
        """The contact that began it."""
        return self.contacts[0]

    @property
    def inbound(self) -> list[Contact]:
        """What the customer did."""
        return [contact for contact in self.contacts if contact.is_contact]

    @property
    def human(self) -> int:
        """Contacts a person answered; a call back counts where nothing else does."""
        return sum(c.is_human for c in self.inbound) or int(any(c.is_human for c in self.contacts))

    @property
    def resolved(self) -> bool:
        """Nothing open, and something done."""
        return not any(c.is_open for c in self.contacts) and (any(c.solved for c in self.contacts) or self.human > 0)

    def later(self, days: int | None = None) -> int:
        """Contacts after the one a person answered, within so many days of its end."""
        answered = min((c for c in self.contacts if c.is_human), key=lambda c: c.started, default=None)
        if answered is None:
            return 0
        end = min((c.ended for c in self.contacts if c.is_human and c.ended), default=None)
        after = [
            c
            for c in self.inbound
            if not c.is_human
            and c.started >= answered.started
            and (days is None or end is None or _whole(end, c.started) <= days * 86400)
        ]
        return len(after)

    def settled(self, days: int | None = None) -> bool:
        """First contact resolution."""
        return (
            self.resolved
            and self.human == 1
            and self.later(days) == 0
            and not any(contact.reopened for contact in self.contacts)
        )

    @property
    def over(self) -> datetime | None:
        """When no repeat can come any more."""
        ends = [reach(contact, self.window) for contact in self.contacts]
        return None if None in ends else max(end for end in ends if end)

    @property
    def due(self) -> datetime:
        """When it should be resolved."""
        return self.first.started + timedelta(days=days(self.first.channel, self.window))


def _whole(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() // 1


def days(channel: str, window: tuple[int, int]) -> int:
    """How long after a contact another one is a repeat."""
    return window[1] if channel in ("email", "web", "letter") else window[0]


def reach(contact: Contact, window: tuple[int, int]) -> datetime | None:
    """Until when another contact is about the same; None: as long as it is open."""
    return None if contact.ended is None else contact.ended + timedelta(days=days(contact.channel, window))


def issues(contacts: Iterable[Contact], window: tuple[int, int] = (7, 14), minimum: float = 0.7) -> list[Issue]:
    """Stitch: what refers to each other, then whatever two groups of a customer and team are near enough in time."""
    known = {contact.id: contact for contact in contacts}
    groups: dict[tuple[Identity, str], list[Contact]] = {}
    for contact in known.values():
        root = contact
        for _ in range(2):
            root = known.get(root.hangs_on or "", root)
        who = root.customer or contact.customer
        if who is not None:
            groups.setdefault((who, root.id), []).append(contact)
    keys = list(groups)
    parent = {key: key for key in keys}

    def find(key: tuple[Identity, str]) -> tuple[Identity, str]:
        while parent[key] != key:
            key = parent[key]
        return key

    by_customer: dict[Identity, list[tuple[Identity, str]]] = {}
    for key in keys:
        by_customer.setdefault(key[0], []).append(key)
    for one, other in (pair for theirs in by_customer.values() for pair in permutations(theirs, 2)):
        if _near(groups[one], groups[other], known, one, other, window, minimum):
            parent[find(one)] = find(other)
    joined: dict[tuple[Identity, str], list[Contact]] = {}
    for key in keys:
        joined.setdefault(find(key), []).extend(groups[key])
    made = []
    for (who, _), members in joined.items():
        members.sort(key=lambda contact: (not contact.is_contact, contact.started, contact.id))
        if members[0].is_contact:
            made.append(Issue(who, members, window))
    return made


def _near(
    one: list[Contact],
    other: list[Contact],
    known: dict[str, Contact],
    one_key: tuple[Identity, str],
    other_key: tuple[Identity, str],
    window: tuple[int, int],
    minimum: float,
) -> bool:
    """Whether a group begins before another one's window is over, having begun no earlier, with the same team."""
    teams = known[one_key[1]].team, known[other_key[1]].team
    any_team = minimum <= 0.4
    if not any_team and (minimum > 0.8 or teams[0] != teams[1] or "none" in teams):
        return False
    if max(c.sure for c in one) < minimum or max(c.sure for c in other) < minimum:
        return False
    begins = min(c.started for c in one), min(c.started for c in other)
    if begins[1] < begins[0]:
        return False
    ends = [reach(contact, window) for contact in one]
    return None in ends or begins[1] <= max(end for end in ends if end)
