"""Benchmarks: each is a command that prints a table. None is a test of speed."""
