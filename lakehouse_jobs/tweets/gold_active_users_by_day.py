"""People who tweeted, UTC day by UTC day; equal to the live KPI of the same name.

grain      day
key        window_start_at
partition  day(window_start_at)
owner      lakehouse_jobs
purpose    active users of User Engagement Analysis; the batch side of reconciliation
source     gold.user_activity_by_hour, so that no refresh scans a whole day of silver
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.kpi_sql import schema, window
from topics.tweets import ACTIVE_USERS_BY_DAY

KPI = ACTIVE_USERS_BY_DAY


def build(activity: DataFrame) -> DataFrame:
    """Rows of user_activity_by_hour of whole days → window_start_at, window_end_at, users, tweets, engagement."""
    days = activity.groupBy(*window(KPI.window, time="window_start_at")).agg(
        F.countDistinct("user_id").alias("users"),
        F.sum("tweets").alias("tweets"),
        F.sum("engagement").alias("engagement"),
    )
    return days.select(*schema(KPI).column_names)


SOURCE = Source("user_activity_by_hour")
TABLE = GoldTable("active_users_by_day", (SOURCE,), KPI.window, schema(KPI), build, ("window_start_at",))
