"""Looks of training records: image, heatmap, arm and budget to what the model sees."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from geomag.config.schema import Profile
from geomag.data.benchmarks import Granularity
from geomag.data.images import read_rgb
from geomag.data.records import Record
from geomag.geometry import PixelBox
from geomag.inference.probing import window_rule
from geomag.magcrop.compose import RgbImage
from geomag.magcrop.crops import Heat, windows
from geomag.model.model_input import ModelInput, ModelInputs
from geomag.seeds import generator


def record_boxes(record: Record, heat: Heat | None, profile: Profile) -> tuple[PixelBox, ...]:
    """C_1 and C_2 of a record from its stored heatmap; nothing without one."""
    if heat is None:
        return ()
    rule = window_rule(profile)
    return windows(heat, width=record.width, height=record.height, rule=rule)


def with_budget(profile: Profile, record: Record) -> Profile:
    """The settings with one of ``train.budgets``, the same for all records of an image."""
    budgets = profile.train.budgets
    if not budgets:
        return profile
    rng = generator(profile.train.seed, "budget", record.benchmark, record.image)
    chosen = int(rng.choice(np.array(budgets)))
    return replace(profile, magcrop=replace(profile.magcrop, budget=chosen))


def record_inputs(
    records: Sequence[Record],
    *,
    root: Path,
    heat: Mapping[str, Heat],
    granularity: Granularity | None,
    profile: Profile,
) -> Iterator[ModelInput]:
    """A look per training record, in order; an image in a row of records is read once.

    Records in a row that see the same of their image share the object.

    Args:
        records: Of one benchmark.
        root: The benchmark's folder.
        heat: Heatmaps by record id.
        granularity: G of all of them; None for the plain arm.
        profile: View, windows, sides.
    """
    last: tuple[str, RgbImage, ModelInputs] | None = None
    for record in records:
        if last is None or last[0] != record.image:
            image = read_rgb(root / record.image)
            last = (record.image, image, ModelInputs(with_budget(profile, record)))
        _, image, model_inputs = last
        found = None if granularity is None else heat.get(record.id)
        yield model_inputs.of(image, granularity, record_boxes(record, found, profile), found)
