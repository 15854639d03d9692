"""Measurements against peers; `python -m tests.benchmarks.loso` and `.startup` from the root."""
