"""Faust workers: raw facts in; clean events, rejections, duplicates and live KPIs out."""
