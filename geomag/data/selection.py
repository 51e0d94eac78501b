"""Which records training and evaluation use: one rule for probe, trainer and predictor."""

from pathlib import Path

from geomag.config.schema import Profile, TrainConfig
from geomag.data.benchmarks import Benchmark, Split, Task
from geomag.data.records import Record, read_records
from geomag.seeds import generator

QUESTIONS_KEPT = ("presence", "comp", "rural_urban", "count")
"""RSVQA types that training asks; areas are numbers nobody scores (protocols/rsvqa#asked)."""


def training_records(benchmark: Benchmark, path: Path, config: TrainConfig) -> list[Record]:
    """Records of the train split that teach something, thinned to ``most_records``.

    Args:
        benchmark: Nothing is taken from one that does not train.
        path: ``records.jsonl``.
        config: Gives the limit and the seed of the thinning.
    """
    if not benchmark.trains:
        return []
    records = [
        record
        for record in read_records(path, splits=[Split.TRAIN])
        if benchmark.task is not Task.VQA or record.kind in QUESTIONS_KEPT
    ]
    if config.most_records and len(records) > config.most_records:
        order = generator(config.seed, "kept", benchmark.name).permutation(len(records))
        records = [records[i] for i in sorted(order[: config.most_records])]
    return records


def looks_through_eq4(profile: Profile) -> bool:
    """Whether training sees records through the windows that Eq 4 finds.

    Not where windows are drawn around targets and those of predictions come from a first mask
    (`magcrop.probe: mask`): a question without one is asked of the whole image then and now.
    """
    is_masked = profile.train.windows == "drawn" and profile.magcrop.probe == "mask"
    return profile.train.arm == "magcrop" and not is_masked


def probed_records(benchmark: Benchmark, path: Path, profile: Profile) -> list[Record]:
    """Records whose heatmap is needed: those of the test splits, and what training looks at."""
    seen = looks_through_eq4(profile)
    return (training_records(benchmark, path, profile.train) if seen else []) + test_records(
        benchmark, path
    )


def test_records(benchmark: Benchmark, path: Path) -> list[Record]:
    """Records of the test splits, in file order."""
    return list(read_records(path, splits=benchmark.test_splits))
