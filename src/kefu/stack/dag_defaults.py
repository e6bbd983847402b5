"""What every DAG has in common. Knows nothing of Airflow, so that importing it first does no harm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

OWNER = "data-engineering"

EVERY_DAG: dict[str, Any] = {
    "start_date": datetime(2026, 1, 1, tzinfo=UTC),  # a fixed day to count from; only the latest run counts
    "catchup": False,
    "max_active_runs": 1,  # two runs would race: for a cursor, for the slot being built, for the dashboards
    "default_args": {
        "owner": OWNER,
        # A vendor that stumbles has usually got up again within minutes.
        "retries": 3,
        "retry_delay": timedelta(seconds=20),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=10),
    },
}

# A build that fails over a model fails again; one that lost its connection does not.
ONE_RETRY: dict[str, Any] = {"retries": 1}

# The same rows break the same rule again: a check is not tried twice.
NO_RETRY: dict[str, Any] = {"retries": 0}
