"""All benchmarks: every folder here that has a ``spec.py``, in the order of the paper's tables."""

import pkgutil
from collections.abc import Sequence
from importlib import import_module

from geomag.data.benchmarks.spec import Benchmark
from geomag.data.tasks import Task
from geomag.errors import ConfigError

_PACKAGE = __name__.rpartition(".")[0]


def discovered() -> dict[str, Benchmark]:
    """Benchmarks by name, from the folders beside this module.

    Raises:
        ValueError: If a folder has another name than its benchmark.
    """
    specs: list[Benchmark] = []
    for folder in pkgutil.iter_modules(import_module(_PACKAGE).__path__):
        if folder.ispkg:
            spec: Benchmark = import_module(f"{_PACKAGE}.{folder.name}.spec").SPEC
            if spec.name != folder.name:
                raise ValueError(f"the folder {folder.name} has the facts of {spec.name}")
            specs.append(spec)
    return {spec.name: spec for spec in sorted(specs, key=lambda spec: spec.position)}


BENCHMARKS = discovered()
"""The ten of the paper; `geomag.extend.add_benchmark` adds others while a program runs."""


def chosen_benchmarks(names: Sequence[str] = ()) -> list[Benchmark]:
    """The benchmarks that a profile's ``benchmarks`` names, in our order; all where it names none.

    Raises:
        ConfigError: On a name that is none of them.

    >>> [b.name for b in chosen_benchmarks(["aid", "rsvqa_lr"])]
    ['rsvqa_lr', 'aid']
    """
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        raise ConfigError("benchmarks", ", ".join(unknown), f"some of {', '.join(BENCHMARKS)}")
    return [b for b in BENCHMARKS.values() if not names or b.name in names]


def first_of(task: Task) -> Benchmark:
    """The first benchmark of a task, in the order of the paper's tables."""
    return next(spec for spec in BENCHMARKS.values() if spec.task is task)
