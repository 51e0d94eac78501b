"""The rows of an update with what the frozen parts see of them: held from the start, or streamed.

Draws are a function of the update's number, so all that a training will ever look at is known
before any image is read, and nothing else is read. Where that fits into ``train.held_gb`` it is
prepared once, before the first update; where it does not (the published benchmarks), an update's
images are read by workers while the updates before it are computed, encoded beside them, and
dropped. Either way a stopped training goes on with the same rows (docs/decisions/0061).
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from geomag.config.schema import Profile
from geomag.errors import ConfigError
from geomag.magcrop.crops import Heat
from geomag.model.geomag import GeoMag
from geomag.model.model_input import ModelInput
from geomag.progress import track
from geomag.train.inputs import AT_A_TIME, PlannedSample, last_image_reader
from geomag.train.mixture import Drawn, Mixture
from geomag.train.samples import Sample, prepare
from geomag.train.side_by_side import forked_map, processes_for

AHEAD = 2
"""Updates that each worker reads ahead."""


class RowSource(Protocol):
    """Gives the rows of an update, a function of its number alone."""

    def rows(self, update: int, size: int) -> Sequence[Drawn[Sample]]:
        """Rows of an update, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Pictures(Dataset[list[ModelInput]]):
    """Function from planned samples to what is seen of them."""

    data: Path
    """Folder of the benchmarks."""
    profile: Profile
    heat: Mapping[str, Mapping[str, Heat]]
    """Heatmaps by benchmark and record id."""

    def __getitem__(self, planned: Any) -> list[ModelInput]:
        """Read and see samples in order; an image of several in a row is read once."""
        read = last_image_reader()
        return [
            one.model_input(self.data / name, self.profile, self.heat[name], read)
            for one in planned
            for name in [one.records[0].benchmark]
        ]


@dataclass(frozen=True)
class Planned:
    """All training samples of a profile, nothing of them read."""

    model: GeoMag
    """Model whose frozen parts encode what is read."""
    profile: Profile
    data: Path
    """Folder of the benchmarks."""
    samples: Mapping[str, Sequence[PlannedSample]]
    heat: Mapping[str, Mapping[str, Heat]]
    """Heatmaps by benchmark and record id."""

    @cached_property
    def mixture(self) -> Mixture[PlannedSample]:
        """Mixture that says what each update draws."""
        profile = self.profile
        n_seg = profile.adapter.n_seg
        return Mixture(self.samples, profile.train, profile.prompt, n_seg=n_seg)

    @cached_property
    def drawn(self) -> dict[str, list[PlannedSample]]:
        """What any update draws, by benchmark in planned order."""
        config = self.profile.train
        chosen = {
            row.sample
            for update in range(config.steps)
            for row in self.mixture.rows(update, config.batch)
        }
        return {
            name: [one for one in planned if one in chosen]
            for name, planned in self.samples.items()
        }

    @property
    def pictures(self) -> "Pictures":
        """Reader of what the rows show."""
        return Pictures(self.data, self.profile, self.heat)

    def prepare(
        self, planned: Sequence[PlannedSample], model_inputs: Iterable[ModelInput] | None = None
    ) -> list[Sample]:
        """Encode samples, in order and in batches, read now unless ``model_inputs`` are there."""
        seen = self.pictures[planned] if model_inputs is None else model_inputs
        training = self.model.training
        self.model.eval()
        try:
            pairs = zip((one.records for one in planned), seen, strict=True)
            return list(prepare(self.model, pairs))
        finally:
            self.model.train(training)

    def held_bytes(self) -> int:
        """Host memory of all drawn samples, from one of each benchmark and the targets of all."""
        total = 0
        for planned in self.drawn.values():
            if planned:
                (first,) = self.prepare(planned[:1])
                fixed, of_target = _bytes_of(first)
                n_targets = sum(len(one.records[0].masks) or len(one.records) for one in planned)
                total += fixed * len(planned) + of_target * n_targets
        return total


def build_source(planned: Planned, *, log: Callable[[str], None]) -> RowSource:
    """Build a source: held where it fits into ``train.held_gb``, else streamed; ``log`` says which.

    Raises:
        ConfigError: If the host has not as much memory free as the settings let it take.
    """
    config = planned.profile.train
    for name, drawn in planned.drawn.items():
        log(f"{name}: {len(planned.samples[name])} samples, {len(drawn)} of them drawn")
    wanted, limit = planned.held_bytes(), config.held_gb * 1e9
    if wanted > limit:
        log(f"samples: {wanted / 1e9:.1f} GB, streamed (train.held_gb is {config.held_gb:g})")
        return StreamedSamples(planned)
    free = free_host_bytes()
    if wanted > free:
        raise ConfigError(
            "train.held_gb",
            f"{wanted / 1e9:.1f} GB of samples to hold, {free / 1e9:.1f} GB free",
            "less than is free: what does not fit is streamed",
        )
    log(f"samples: {wanted / 1e9:.2f} GB, held")
    return HeldSamples(planned)


def free_host_bytes() -> int:
    """Memory that the host can give: free, or held by files that can be read again."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:  # not Linux: only what is free is known
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    (available,) = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return 1024 * int(available)


class HeldSamples:
    """All that is drawn, prepared before the first update."""

    def __init__(self, planned: Planned) -> None:
        self._mixture = planned.mixture
        parts = [
            drawn[start : start + AT_A_TIME]
            for drawn in planned.drawn.values()
            for start in range(0, len(drawn), AT_A_TIME)
        ]
        processes = processes_for(len(parts), planned.model.vlm.device)
        made = forked_map(planned.prepare, parts, processes=processes)
        self._samples: dict[PlannedSample, Sample] = {}
        with track("preparing samples", sum(map(len, parts))) as progress:
            for part, samples in zip(parts, made, strict=True):
                self._samples.update(zip(part, samples, strict=True))
                progress.advance(len(part))

    def rows(self, update: int, size: int) -> list[Drawn[Sample]]:
        """The rows of an update."""
        drawn = self._mixture.rows(update, size)
        return [Drawn(self._samples[row.sample], row.asked) for row in drawn]


class StreamedSamples:
    """An update's samples, read ahead by workers and encoded when the update begins.

    Args:
        planned: What may be drawn.
        workers: Processes that read; 0 reads in this one.
    """

    def __init__(self, planned: Planned, *, workers: int | None = None) -> None:
        self._planned = planned
        cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1
        self._workers = min(8, cores - 1) if workers is None else workers
        self._ahead: Iterator[Any] = iter(())
        self._next = -1
        self._held: tuple[int, list[Drawn[Sample]]] = (-1, [])

    def rows(self, update: int, size: int) -> list[Drawn[Sample]]:
        """The rows of an update; any may be asked for, the next one is there soonest."""
        if update != self._held[0]:
            if update != self._next:  # the first one, or resumed somewhere else
                self._ahead = iter(self._loader(update, size))
            drawn, model_inputs = self._planned.mixture.rows(update, size), next(self._ahead)
            samples = self._planned.prepare([row.sample for row in drawn], model_inputs)
            pairs = zip(samples, drawn, strict=True)
            self._held = update, [Drawn(sample, row.asked) for sample, row in pairs]
            self._next = update + 1
        return self._held[1]

    def _loader(self, update: int, size: int) -> DataLoader[Any]:
        return DataLoader(
            self._planned.pictures,
            batch_size=None,
            sampler=_Draws(self._planned, update, size),
            num_workers=self._workers,
            prefetch_factor=AHEAD if self._workers else None,
            collate_fn=list,
            multiprocessing_context="fork" if self._workers else None,
            generator=torch.Generator(),  # a draw of its own: torch's is the dropout's
        )


class _Draws:
    """The samples of each update from one on, in order."""

    def __init__(self, planned: Planned, update: int, size: int) -> None:
        self._planned, self._update, self._size = planned, update, size

    def __iter__(self) -> Iterator[list[PlannedSample]]:
        for update in range(self._update, self._planned.profile.train.steps):
            yield [row.sample for row in self._planned.mixture.rows(update, self._size)]

    def __len__(self) -> int:
        return self._planned.profile.train.steps - self._update


def _bytes_of(sample: Sample) -> tuple[int, int]:
    """Bytes of a sample without its targets, and of a target."""
    fixed = sum(t.nbytes for t in (sample.visual, *sample.features))
    truth = int(np.prod(sample.truth.shape[1:])) * 4 if sample.records[0].masks else 0
    return fixed, truth + sample.cells.shape[-1] * 4
