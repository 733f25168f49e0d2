"""Tests, by context; `system` for the whole, `oracles` for independent truth."""
