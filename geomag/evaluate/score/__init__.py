"""The benchmarks' own metrics over prediction files."""
