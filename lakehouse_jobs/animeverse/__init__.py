"""The gold tables of AnimeVerse, one file each, listed in the order of their refresh."""

from __future__ import annotations

from lakehouse_jobs.animeverse import (
    dim_calendar,
    dim_customer,
    dim_product,
    dim_screening,
    dim_store,
    dim_title,
    dimension_audit,
    fact_cinema_attendance,
    fact_customer_engagement,
    fact_inventory_snapshot,
    fact_sales,
    gold_conversion_by_day,
    gold_cross_sell_rates,
    gold_customer_activity,
    gold_customer_lifetime_value,
    gold_customer_segments,
    gold_daily_sales_summary,
    gold_product_performance,
    gold_rating_by_day,
    gold_reconciliation_report,
    gold_sales_by_category,
    gold_sales_by_minute,
    gold_screenings_by_hour,
    gold_sessions_by_hour,
    gold_stock_optimisation,
)
from lakehouse_jobs.gold_table import GoldTable

MIRRORS: tuple[GoldTable, ...] = (
    gold_sales_by_minute.TABLE,
    gold_sales_by_category.TABLE,
    gold_screenings_by_hour.TABLE,
    gold_rating_by_day.TABLE,
    gold_conversion_by_day.TABLE,
    gold_sessions_by_hour.TABLE,
)
STAR: tuple[GoldTable, ...] = (
    dim_product.TABLE,
    dim_title.TABLE,
    dim_screening.TABLE,
    dim_customer.TABLE,
    dim_store.TABLE,
    fact_sales.TABLE,
    fact_cinema_attendance.TABLE,
    fact_inventory_snapshot.TABLE,
    fact_customer_engagement.TABLE,
    dim_calendar.TABLE,  # after the facts, whose years it covers
    dimension_audit.TABLE,
)
PERIODIC: tuple[GoldTable, ...] = (  # after the star schema, which they are made from
    gold_daily_sales_summary.TABLE,
    gold_product_performance.TABLE,
    gold_customer_segments.TABLE,
    gold_customer_lifetime_value.TABLE,
    gold_customer_activity.TABLE,
    gold_cross_sell_rates.TABLE,
    gold_stock_optimisation.TABLE,
    gold_reconciliation_report.TABLE,
)
GOLD_TABLES: tuple[GoldTable, ...] = (*MIRRORS, *STAR, *PERIODIC)
