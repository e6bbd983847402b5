"""Seeded chance: one named stream a thing, so that no draw depends on the order of unrelated ones.

A stream is seeded by text (Python hashes it with SHA-512, never with `hash`), and every duration is rounded to whole
seconds as it is drawn. So a seed gives the same world on every machine.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Stream:
    """One stream of chance, named by its parts: ``Stream(seed, "call", 17)``."""

    __slots__ = ("_random",)

    def __init__(self, *name: object) -> None:
        """Seed the stream with its name."""
        self._random = random.Random("/".join(map(str, name)))  # noqa: S311  chance, not secrets

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._random.random() < probability

    def uniform(self) -> float:
        """A number from 0 up to, not including, 1."""
        return self._random.random()

    def whole(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return self._random.randrange(low, high + 1)

    def normal(self, mean: float, spread: float) -> float:
        """A normal draw."""
        return self._random.gauss(mean, spread)

    def exponential(self, mean: float, *, low: int = 0, high: int) -> int:
        """Whole seconds of an exponential duration, held between ``low`` and ``high``."""
        return min(max(round(self._random.expovariate(1 / mean)), low), high)

    def lognormal(self, median: float, spread: float, *, low: int = 0, high: int) -> int:
        """Whole seconds of a log-normal duration, held between ``low`` and ``high``."""
        return min(max(round(median * self._random.lognormvariate(0, spread)), low), high)

    def poisson(self, mean: float) -> int:
        """A Poisson count, by counting exponential gaps: exact for any mean, quick for small ones."""
        count, left = 0, mean
        while (left := left - self._random.expovariate(1)) > 0:
            count += 1
        return count

    def pick(self, choices: Sequence[T]) -> T:
        """One of these, all alike."""
        return choices[self._random.randrange(len(choices))]

    def weighted(self, choices: Sequence[tuple[T, float]]) -> T:
        """One of these pairs of thing and weight."""
        left = self._random.random() * sum(weight for _, weight in choices)
        for choice, weight in choices:
            left -= weight
            if left < 0:
                return choice
        return choices[-1][0]

    def letters(self, length: int) -> str:
        """Letters and digits, as vendors make their identifiers."""
        return "".join(LETTERS[self._random.randrange(len(LETTERS))] for _ in range(length))
