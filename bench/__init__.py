"""Benchmarks: each figure with its peer or its limit, measured in the same run and given as a ratio."""
