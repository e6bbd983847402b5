"""Superset's server settings; how it looks is kefu_theme.py.

Everything secret or local comes from the environment; ``NAME_FILE`` names a file that holds ``NAME``:
KEFU_SUPERSET_DATABASE (its own metadata), KEFU_SUPERSET_SECRET_KEY, KEFU_SUPERSET_CACHE (a folder) or
KEFU_SUPERSET_REDIS (a URL; also turns on the Celery workers), KEFU_SUPERSET_BEHIND_PROXY=1.
"""

import os
import sys
from pathlib import Path
from typing import Any, ClassVar

from celery.schedules import crontab

sys.path.insert(0, str(Path(__file__).parent))

from kefu_theme import *  # noqa: F403
from kefu_theme import KEFU_CONTENT_SECURITY_POLICY, KEFU_FEATURE_FLAGS


def _given(name: str, default: str | None = None) -> str:
    file = os.environ.get(f"{name}_FILE")
    value = Path(file).read_text(encoding="utf-8").strip() if file else os.environ.get(name, default)
    if value is None:
        raise RuntimeError(f"Superset: {name} is not set (nor {name}_FILE)")
    return value


SECRET_KEY = _given("KEFU_SUPERSET_SECRET_KEY")
SQLALCHEMY_DATABASE_URI = _given("KEFU_SUPERSET_DATABASE")
SQLALCHEMY_ENGINE_OPTIONS = {"pool_pre_ping": True}  # the embedded Postgres may have been restarted

_REDIS = _given("KEFU_SUPERSET_REDIS", "")
_BEHIND_PROXY = _given("KEFU_SUPERSET_BEHIND_PROXY", "") == "1"


def _cache(name: str, seconds: int) -> dict[str, Any]:
    place = (
        {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": _REDIS, "CACHE_KEY_PREFIX": f"superset_{name}_"}
        if _REDIS
        else {
            "CACHE_TYPE": "FileSystemCache",
            "CACHE_DIR": str(Path(_given("KEFU_SUPERSET_CACHE")) / name),
            "CACHE_THRESHOLD": 10_000,
        }
    )
    return {**place, "CACHE_DEFAULT_TIMEOUT": seconds}


# A publication clears what it made stale, so results may stay long.
CACHE_CONFIG = _cache("objects", 86_400)
DATA_CACHE_CONFIG = _cache("data", 86_400)

FEATURE_FLAGS = {**KEFU_FEATURE_FLAGS, "DASHBOARD_RBAC": True}
BABEL_DEFAULT_LOCALE = "en"
ROW_LIMIT = 50_000
SQLLAB_TIMEOUT = 300  # as long as Postgres lets an analyst's statement run
SUPERSET_WEBSERVER_TIMEOUT = 120
WELCOME_MESSAGE = ""
FAB_API_SWAGGER_UI = False
CONTENT_SECURITY_POLICY_WARNING = False

TALISMAN_ENABLED = True
TALISMAN_CONFIG = {
    "content_security_policy": KEFU_CONTENT_SECURITY_POLICY,
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,  # the proxy in front sees to it
    "session_cookie_secure": _BEHIND_PROXY,
}
SESSION_COOKIE_SECURE = _BEHIND_PROXY
SESSION_COOKIE_NAME = _given("KEFU_SUPERSET_COOKIE", "session")  # two stacks on one host: cookies know no port
ENABLE_PROXY_FIX = _BEHIND_PROXY

# Guessing passwords is slowed down; counted in Redis where there are several servers, else in each process.
RATELIMIT_ENABLED = True
RATELIMIT_STORAGE_URI = _REDIS or "memory://"
# Of every request only where there is Redis: the limiter in memory starts a clock, and of two threads that do so at the
# same moment one fails. Without it logins alone are counted.
RATELIMIT_APPLICATION = "500 per second" if _REDIS else None


class CeleryConfig:
    """Queues for long SQL Lab queries, alerts and cache warming; only where Redis is."""

    broker_url = _REDIS
    result_backend = _REDIS
    imports: tuple[str, ...] = (
        "superset.sql_lab",
        "superset.tasks.scheduler",
        "superset.tasks.thumbnails",
        "superset.tasks.cache",
    )
    worker_prefetch_multiplier = 1
    task_acks_late = True
    task_annotations: ClassVar = {"sql_lab.get_sql_results": {"rate_limit": "100/s"}}
    beat_schedule: ClassVar = {
        "reports.scheduler": {"task": "reports.scheduler", "schedule": crontab(minute="*")},
        "reports.prune_log": {"task": "reports.prune_log", "schedule": crontab(minute=0, hour=0)},
    }


CELERY_CONFIG = CeleryConfig if _REDIS else None
if _REDIS:
    from flask_caching.backends.rediscache import RedisCache as _RedisCache
    from redis import Redis as _Redis

    RESULTS_BACKEND = _RedisCache(_Redis.from_url(_REDIS), key_prefix="superset_results_")
