"""What are the scores of all buyers by a sort, as the R package rfm defines them? Shares no code with beckon.

Cut points are quantile(x, 20/40/60/80 %, type 7) + 1; a value is in the first fifth whose cut point is above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Values = tuple[float, float, float]
"""Days since the last order, orders, money."""


def cut_points(values: Sequence[Values]) -> list[Any]:
    """For recency, frequency and money."""
    return [np.quantile(column, [0.2, 0.4, 0.6, 0.8]) + 1 for column in np.array(values, dtype=float).T]


def exact_scores(values: Sequence[Values]) -> list[tuple[int, int, int]]:
    columns = np.array(values, dtype=float).T
    reached = [
        np.searchsorted(np.round(cuts, 6), column, side="right")
        for cuts, column in zip(cut_points(values), columns, strict=True)
    ]
    return [(5 - int(r), 1 + int(f), 1 + int(m)) for r, f, m in zip(*reached, strict=True)]
