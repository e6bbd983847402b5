"""Percentiles and the median patience a second time: order statistics of durations as docs/decisions.md words them.

Durations are judged by bands (docs/adr/0010): all whole seconds with the same three leading digits, named by their
middle. Written with exact fractions where the database uses doubles.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

Z = 1.959963984540054
Found = tuple[int | None, int | None, int | None]  # the value and the ends of its interval


def band(seconds: int) -> int:
    """The middle of all durations with the same three leading digits; below 1,000 s every second is its own."""
    digits = str(seconds)
    first, rest = digits[:3], len(digits) - 3
    return seconds if rest <= 0 else int(first + "5" + "0" * (rest - 1))


def percentile(durations: Iterable[int], percent: int) -> Found:
    """The lowest band that so large a share of the durations does not exceed, never something between two.

    The interval's ends are order statistics too, by the normal approximation of the binomial (Campbell and Gardner):
    the ranks np - z sqrt(np(1 - p)) and 1 + np + z sqrt(np(1 - p)), rounded. No such rank: no end.
    """
    ordered = sorted(map(band, durations))
    n, share = len(ordered), Fraction(percent, 100)
    if not n:
        return None, None, None
    half = Z * math.sqrt(n * share * (1 - share))
    lower, upper = round(float(n * share) - half), round(1 + float(n * share) + half)
    return (
        ordered[math.ceil(n * share) - 1],
        ordered[lower - 1] if lower >= 1 else None,
        ordered[upper - 1] if upper <= n else None,
    )


def patience(waits: Iterable[tuple[int, bool]]) -> Found:
    """The wait by which half would have given up (Kaplan and Meier), from waits and whether they ended by giving up.

    Its interval is where the limits of the curve, at 95 % on the scale of log(-log), come down to a half.
    """
    events: Counter[int] = Counter()
    ended: Counter[int] = Counter()
    for wait, gave_up in waits:
        ended[band(wait)] += 1
        events[band(wait)] += gave_up
    waiting, staying, spread = ended.total(), Fraction(1), Fraction(0)
    curves: dict[int, int | None] = dict.fromkeys((0, -1, 1))  # the estimate, its lower and its upper limit
    for moment in sorted(ended):
        gone = events[moment]
        if gone:
            staying *= Fraction(waiting - gone, waiting)
            if not staying:  # nobody is left to tell how much longer it might have been
                for side in (0, -1):
                    curves[side] = moment if curves[side] is None else curves[side]
                break
            spread += Fraction(gone, waiting * (waiting - gone))
            log = math.log(staying)
            error = math.sqrt(spread) / abs(log)
            limits = {side: math.exp(log * math.exp(-side * Z * error)) for side in (-1, 1)}
            for side, is_half in ((0, staying <= Fraction(1, 2)), *((s, one <= 0.5) for s, one in limits.items())):
                if is_half and curves[side] is None:
                    curves[side] = moment
        waiting -= ended[moment]
    return curves[0], curves[-1], curves[1]
