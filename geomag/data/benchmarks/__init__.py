"""The benchmarks of the paper: one folder each with its facts, its reader and its merger.

What two of them share stands beside the folders. A folder more is a benchmark more: nothing else
names them.
"""

from geomag.data.benchmarks.spec import Benchmark
from geomag.data.benchmarks.table import BENCHMARKS, chosen_benchmarks
from geomag.data.tasks import Granularity, Split, Task

__all__ = ["BENCHMARKS", "Benchmark", "Granularity", "Split", "Task", "chosen_benchmarks"]
