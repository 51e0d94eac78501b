"""Benchmarks: readers of their real layouts, records, validation, and the drawn sample."""
