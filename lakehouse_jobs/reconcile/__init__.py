"""`riverhouse reconcile`: live topics, silver and gold against a recomputation from bronze, at the same offsets.

    bronze ─ read by contract ─▶ sound records ─ the business's SQL ─▶ the log of its facts ─┬─ at a cell's as_of ──▶ = KPI topics
                                                                                             ├─ at silver's fence ──▶ = silver
                                                                                             └─ at gold's fence ────▶ = gold

The recomputation is SQL in DuckDB over bronze's bytes. With the workers and with Spark it shares the contracts and nothing else.
"""
