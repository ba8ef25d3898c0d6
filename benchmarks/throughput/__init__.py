"""The engines side by side, one machine, one run: `make bench`, or `python -m benchmarks.throughput --help`.

A broker of its own; each engine does the job of the tweets over the same raw topic, from nothing, and its results are compared with
DuckDB's answer over the raw records before its time counts: the clean records, and every cell of `tweet_volume_by_region`.

- **Throughput** (`runs.py`): the topic is there; the engines take all of it in turn, `--repeats` times; a figure is the median, beside it
  the least and the most. Measured is from the first clean record until everything is committed, so that nobody's start counts: the clock,
  and the processor time of the engine with its children. The broker runs beside it on the same processors, its time is not counted.
- **Latency** (`latencies.py`): the topic grows at a pace that each of them can hold; another process looks when a record's results are there.
- **Growth** (`growth.py`): ours with more partitions, more state, more history, a second worker.

Ours does the whole job: validate, drop repeats, enrich, all KPIs and rankings through partials, fences, snapshots. The others do
less; the head of each program in `benchmarks/engines` says what.
"""
