"""Who may do what: `admin` everything; `business` looks at the dashboards, filters and drills, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

BUSINESS = "business"
MAY = (
    ("can_read", "Dashboard"),
    ("can_read", "Chart"),
    ("can_read", "Dataset"),
    ("can_dashboard", "Superset"),
    ("can_explore_json", "Superset"),  # the world map still asks this older address
    ("can_log", "Superset"),
    ("can_read", "CssTemplate"),
    ("can_read", "Theme"),
    ("can_read", "DashboardFilterStateRestApi"),
    ("can_write", "DashboardFilterStateRestApi"),
    ("can_read", "DashboardPermalinkRestApi"),
    ("can_write", "DashboardPermalinkRestApi"),
    ("can_view_chart_as_table", "Dashboard"),
    ("can_drill", "Dashboard"),
    ("can_time_range", "Api"),
    ("can_query", "Api"),
    ("can_query_form_data", "Api"),
    ("can_get", "Datasource"),
    ("can_recent_activity", "Log"),
    ("can_read", "SecurityRestApi"),
    ("can_read", "CurrentUserRestApi"),
    ("can_userinfo", "UserDBModelView"),
    ("can_get", "MenuApi"),
    ("menu_access", "Dashboards"),
)


def admin(security: Any, name: str, password: str) -> Any:
    """The administrator, with this password."""
    return _user(security, name, password, security.find_role("Admin"))


def business(security: Any, password: str) -> Any:
    """The role `business`, with a user of the same name and this password. LookupError where Superset lacks a permission."""
    role = security.add_role(BUSINESS)
    wanted = [_permission(security, *names) for names in MAY]
    if {p.id for p in role.permissions} != {p.id for p in wanted}:
        role.permissions = wanted
        security.session.commit()
    _user(security, BUSINESS, password, role)
    return role


def publish(session: Any, role: Any, uuids: Iterable[str]) -> None:
    """Let the role see these dashboards, and through them their data, and nothing else."""
    from superset.models.dashboard import Dashboard  # noqa: PLC0415 - needs the application

    for dashboard in session.query(Dashboard).filter(Dashboard.uuid.in_(list(uuids))):
        dashboard.roles = [role]
    session.commit()


def _permission(security: Any, permission: str, view: str) -> Any:
    found = security.find_permission_view_menu(permission, view)
    if found is None:
        raise LookupError(f"Superset has no permission {permission!r} on {view!r}; has its version changed?")
    return found


def _user(security: Any, name: str, password: str, role: Any) -> Any:
    """The user, made or brought to this password and role."""
    user = security.find_user(name)
    if user is None:
        made = security.add_user(name, name.capitalize(), "Riverhouse", f"{name}@localhost", role, password=password)
        if not made:
            raise LookupError(f"Superset did not accept the user {name!r}; its log says why")
        return made
    security.reset_password(user.id, password)
    if user.roles != [role]:
        user.roles = [role]
        security.update_user(user)
    return user
