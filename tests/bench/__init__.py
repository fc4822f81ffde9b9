"""Benchmarks against limits measured in the same run: `python -m tests.bench`. No test asserts a time."""
