"""Where events come from: a seeded world per business (`tweets.py`), faults, replay of files, and the way to Kafka.

The worlds are pure functions of a seed and of event times; clocks, signals and sockets stay in `live.py`, `broker.py`
and `replay.py`.
"""
