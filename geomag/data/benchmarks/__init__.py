"""The benchmarks of the paper: one folder each with facts, reader and merger."""

from geomag.data.benchmarks.spec import (
    BENCHMARKS,
    Benchmark,
    Granularity,
    Split,
    Task,
    chosen_benchmarks,
)

__all__ = ["BENCHMARKS", "Benchmark", "Granularity", "Split", "Task", "chosen_benchmarks"]
