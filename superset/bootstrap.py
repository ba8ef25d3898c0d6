"""Make Superset ready, in one process (each start of Superset costs seconds): tables, roles, logins, dashboards.

Idempotent: it runs at every start, and brings passwords and dashboards to what the environment and `assets/` say.
Reads, besides what `superset_config.py` reads: SUPERSET_TRINO_URL, SUPERSET_ADMIN_USER, SUPERSET_ADMIN_PASSWORD,
SUPERSET_BUSINESS_PASSWORD. Run it with the Python of Superset's environment. Superset asks Trino for its catalogues when a
database is imported, so this waits for Trino; the tables and views need not be there yet.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
import time
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

HERE = pathlib.Path(__file__).parent
os.environ.setdefault("SUPERSET_CONFIG_PATH", str(HERE / "superset_config.py"))

import expand  # noqa: E402
import roles  # noqa: E402
from flask import g  # noqa: E402
from flask_migrate import upgrade  # noqa: E402
from sqlalchemy import create_engine, text  # noqa: E402
from superset.app import create_app  # noqa: E402

NEEDED = ("SUPERSET_SECRET_KEY", "SUPERSET_DATABASE_URL", "RIVERHOUSE_HOME", "SUPERSET_TRINO_URL", "SUPERSET_ADMIN_USER",
          "SUPERSET_ADMIN_PASSWORD", "SUPERSET_BUSINESS_PASSWORD")  # fmt: skip


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    begin = time.monotonic()
    yield
    print(f"{name}: {time.monotonic() - begin:.1f} s", flush=True)


def bootstrap() -> None:
    """All steps, in the order in which they need each other."""
    from superset.extensions import appbuilder, db, security_manager  # noqa: PLC0415 - they exist once the app does

    with step("tables"):
        upgrade(directory=str(files("superset") / "migrations"))
    with step("permissions"):
        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
    with step("logins"):
        g.user = roles.admin(security_manager, os.environ["SUPERSET_ADMIN_USER"], os.environ["SUPERSET_ADMIN_PASSWORD"])
        business = roles.business(security_manager, os.environ["SUPERSET_BUSINESS_PASSWORD"])
    with step("trino answers"):
        wait_for_trino(os.environ["SUPERSET_TRINO_URL"])
    with step("dashboards"):
        assets = expand.expand(HERE / "assets", os.environ["SUPERSET_TRINO_URL"])
        import_assets(db.session, assets)
        roles.publish(db.session, business, expand.identities(assets, "dashboards"))


def wait_for_trino(url: str, within_s: float = 400) -> None:
    """Return once Trino lists its catalogues; its error when it does not in time."""
    end = time.monotonic() + within_s
    while True:
        try:
            with create_engine(url).connect() as connection:
                connection.execute(text("show catalogs"))
        except Exception:  # whatever the driver raises means: not yet
            if time.monotonic() > end:
                raise
            time.sleep(0.5)
        else:
            return


def import_assets(session: Any, assets: dict[str, str]) -> None:
    """Create or overwrite what `assets` holds, known by its UUIDs; delete what an earlier import left and is declared no more."""
    from superset.commands.importers.v1.assets import ImportAssetsCommand  # noqa: PLC0415
    from superset.connectors.sqla.models import SqlaTable  # noqa: PLC0415
    from superset.models.dashboard import Dashboard  # noqa: PLC0415
    from superset.models.slice import Slice  # noqa: PLC0415

    ImportAssetsCommand(assets).run()
    for model, kind in ((Dashboard, "dashboards"), (Slice, "charts"), (SqlaTable, "datasets")):
        declared = expand.identities(assets, kind)
        for stale in session.query(model).filter(model.is_managed_externally, model.uuid.not_in(declared)):
            print(f"deleted: {stale}")
            session.delete(stale)
    session.commit()


def main() -> None:
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if missing:
        sys.exit(f"Superset cannot be made ready\n  not set: {', '.join(missing)}\n  hint: `riverhouse up` sets them")
    with step("everything"):
        with step("start"):
            app = create_app()
        with app.app_context():
            bootstrap()


if __name__ == "__main__":
    main()
