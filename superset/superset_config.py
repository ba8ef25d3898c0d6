"""Superset's settings: PostgreSQL for its own tables, caches in files, nothing that reaches beyond this machine.

Read from the environment, because this runs in Superset's own Python environment, which has none of our packages:
SUPERSET_SECRET_KEY, SUPERSET_DATABASE_URL, RIVERHOUSE_HOME. Names in capitals are Superset's; `superset.config` tells of each.
"""

from __future__ import annotations

import os
import pathlib
import time
from typing import Any

# "Now" of a relative time range must be the lake's now, wherever the machine stands.
os.environ["TZ"] = "UTC"
time.tzset()

APP_NAME = "Riverhouse"
SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = os.environ["SUPERSET_DATABASE_URL"]
_FILES = pathlib.Path(os.environ["RIVERHOUSE_HOME"]) / "data" / "superset"


def _cache(name: str, seconds: int) -> dict[str, Any]:
    """A cache in files, shared by the threads and processes of this machine, without a server to run."""
    folder = str(_FILES / name)
    return {
        "CACHE_TYPE": "FileSystemCache",
        "CACHE_DIR": folder,
        "CACHE_DEFAULT_TIMEOUT": seconds,
        "CACHE_THRESHOLD": 5000,
    }


_DAY = 86_400
CACHE_CONFIG = _cache("metadata", 300)
DATA_CACHE_CONFIG = _cache("data", 15)  # as often as gold is refreshed; the live datasets say 4 s
FILTER_STATE_CACHE_CONFIG = _cache("filters", 90 * _DAY)
EXPLORE_FORM_DATA_CACHE_CONFIG = _cache("explore", 7 * _DAY)
DEFAULT_RELATIVE_START_TIME = DEFAULT_RELATIVE_END_TIME = "now"  # "Last day" is the last 24 hours, not yesterday
DASHBOARD_AUTO_REFRESH_MODE = "fetch"  # through the short cache: ten people who watch cost one query

FEATURE_FLAGS = {"DASHBOARD_RBAC": True, "DRILL_TO_DETAIL": True}
PUBLIC_ROLE_LIKE = None  # nobody sees anything without a login
LANGUAGES: dict[str, Any] = {}
ROW_LIMIT = 10_000
SQL_MAX_ROW = 100_000
SUPERSET_WEBSERVER_TIMEOUT = 110  # less than gunicorn's 120: on a busy machine a chart waits rather than fails

RATELIMIT_ENABLED = True
RATELIMIT_STORAGE_URI = "memory://"
RATELIMIT_APPLICATION = "500 per second"  # a dashboard's first visit fetches hundreds of small files
WTF_CSRF_ENABLED = True
SESSION_COOKIE_SAMESITE = "Lax"

# The browser itself refuses every address but ours: no telemetry pixel, no foreign font, map tile or script.
TALISMAN_ENABLED = True
TALISMAN_CONFIG = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'", "data:"],
        "script-src": ["'self'", "'strict-dynamic'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,  # loopback speaks plain HTTP; a proxy in front of a shared server adds TLS
    "session_cookie_secure": False,
}
