"""Benchmarks to predictions, predictions to score tables."""
