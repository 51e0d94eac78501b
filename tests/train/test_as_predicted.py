"""What training sees of a record is what prediction sees of it: pixels, words, frame of the mask.

For each benchmark, view and encoder input, on records whose windows differ within an image.
"""

import itertools
from hashlib import sha256

import numpy as np
import pytest
import torch
from PIL import Image

from geomag.config import load_profile, override
from geomag.data.benchmarks import BENCHMARKS, Granularity, Split, Task
from geomag.data.by_image import read_each_once
from geomag.data.records import Record, write_records
from geomag.data.selection import training_records
from geomag.evaluate.predict import Predictor, Source
from geomag.geometry import PixelBox, decode_mask, encode_mask
from geomag.inference.probing import heat_facts, window_rule
from geomag.io import read_json
from geomag.magcrop.crops import Heat, first_window, write_heat
from geomag.magcrop.granularity import LABELS, load_classifiers, save_classifiers
from geomag.model.model_input import encoder_pixels
from geomag.model.packing import QuestionIds
from geomag.model.vision import cut
from geomag.train.inputs import planned_samples
from geomag.train.mixture import Mixture
from geomag.train.model import stored_heat
from geomag.train.samples import prepare
from tests.ask.models import write_project

pytestmark = pytest.mark.integration
WIDTH, HEIGHT = 120, 90
BY_TASK = {
    Task.REFERRING: [{"text": f"The {word} ship."} for word in ("red", "grey", "red")],
    Task.GCG: [
        {"text": "See <p> a ship </p> [SEG] and <p> a dam </p> [SEG].", "phrases": ("a", "b")}
    ],
    Task.VQA: [
        {"text": f"Is a {word} present?", "answers": ("yes",), "kind": "presence"}
        for word in ("ship", "dam", "pier")
    ],
    Task.ROC: [
        {"boxes": (PixelBox(x, 8.0, x + 20.0, 30.0),), "answers": ("ship",)}
        for x in (5.0, 50.0, 90.0)
    ],
    Task.CAPTION: [{"answers": ("A ship.", "One ship.")}],
    Task.SCENE: [{"answers": ("Airport",)}],
}
SPOTS = ((0, 0), (2, 3), (0, 0))
"""Peaks of an image's heatmaps: the first and the third question have one window, not their
neighbour's."""

FORMS = [
    *itertools.product(("stitch", "tokens"), ("adjusted", "original", "crop"), ("magcrop",)),
    ("stitch", "adjusted", "plain"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    profile = load_profile(str(write_project(root)))
    draw = np.random.default_rng(0)
    for benchmark in BENCHMARKS.values():
        (root / "data" / benchmark.name).mkdir(parents=True)
        for name in "ab":
            pixels = draw.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "data" / benchmark.name / f"{name}.png")
        rows = records(benchmark)
        write_records(root / "artifacts" / "records" / benchmark.name / "records.jsonl", rows)
        if benchmark.crops:
            rule = window_rule(profile) if benchmark.granularity is Granularity.PIXEL else None
            maps = {row.id: heat(SPOTS[i % 3], rule) for i, row in enumerate(rows)}
            write_heat(
                root / "artifacts" / "crops" / benchmark.name,
                maps,
                facts=heat_facts(root / "artifacts" / "models", profile),
            )
    return root, override(profile, prompt={"wordings": "evaluation"})


def records(benchmark):
    n_masks = {Task.REFERRING: 1, Task.GCG: 2}.get(benchmark.task, 0)
    found = []
    for name, values in itertools.product("ab", BY_TASK[benchmark.task]):
        mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
        mask[8:30, 6:40] = True
        found.append(
            Record(
                benchmark=benchmark.name,
                id=str(len(found)),
                split=Split.TRAIN,
                task=benchmark.task,
                image=f"{name}.png",
                width=WIDTH,
                height=HEIGHT,
                masks=(encode_mask(mask),) * n_masks,
                **values,
            )
        )
    return found


def heat(spot, rule):
    """A map with one peak, and with a second one where there is a rule for what it is of."""
    first = np.zeros((4, 4), dtype=np.float32)
    first[spot] = 1.0
    if rule is None:
        return Heat(first)
    window = first_window(Heat(first), width=WIDTH, height=HEIGHT, rule=rule)
    return Heat(first, first.T.copy(), window.box)


@pytest.mark.parametrize(("view", "shown", "arm"), FORMS, ids=map("-".join, FORMS))
@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=BENCHMARKS)
def test_training_sees_of_a_record_what_prediction_sees(project, benchmark, view, shown, arm):
    root, profile = project
    artifacts, data = root / "artifacts", root / "data"
    profile = override(
        profile,
        magcrop={"view": view},
        encoder={"input": shown},
        train={"arm": arm, "questions": 9},
    )
    path = artifacts / "records" / benchmark.name / "records.jsonl"
    rows = training_records(benchmark, path, profile.train)
    if not benchmark.trains:
        assert rows == []  # zero-shot: nothing to compare
        return
    judge_as(benchmark.granularity, artifacts / "models")
    source = Source(benchmark.name, data / benchmark.name, path, root / "heat")
    predictor = Predictor(source, arm, profile, artifacts=artifacts)
    questions = predictor.questions(rows, read_each_once(data / benchmark.name, rows))
    prepared = predictor.pipeline.prepare(questions, arm=arm)
    asked = {row.id: one.query for row, one in zip(rows, prepared, strict=True)}
    model = predictor.pipeline.model
    if benchmark.crops and arm == "magcrop":
        assert len({id(query.model_input) for query in asked.values()}) == 4  # two windows an image

    heat = stored_heat(benchmark, profile, artifacts)
    planned = planned_samples(benchmark, rows, profile, heat)
    groups = [
        (one.records, one.model_input(data / benchmark.name, profile, heat)) for one in planned
    ]
    assert sorted(r.id for records, _ in groups for r in records) == sorted(asked)
    ids = QuestionIds(model.vlm)
    for sample, (together, model_input) in zip(prepare(model, groups), groups, strict=True):
        mixture = Mixture({benchmark.name: [sample]}, profile.train, profile.prompt, n_seg=2)
        words = {one.index: one.prompt for row in mixture.rows(0, 1) for one in row.asked}
        for index, record in enumerate(together):
            query = asked[record.id]
            assert pixels(model_input, model) == pixels(query.model_input, model)
            assert (model_input.views, model_input.encoder_box) == (
                query.model_input.views,
                query.model_input.encoder_box,
            )
            question = ids.question(words[index], "").question
            assert [*ids.head, model.vlm.image_id, *question] == model.vlm.prompt_ids(query.prompt)
            (visual,) = model.visual([query.model_input])
            assert torch.allclose(sample.visual, visual, atol=1e-5)
            assert bool(sample.features) is bool(record.masks)
            if record.masks:
                for level, seen in zip(
                    sample.features, model.features([query.model_input]), strict=True
                ):
                    assert torch.allclose(level, seen[0], atol=1e-4)
            for rle, truth in zip(record.masks, sample.truth, strict=True):
                drawn, _ = model._paste(query, 20 * (truth - 0.5))  # where it would be drawn
                within = visible(decode_mask(rle), query.model_input)
                assert (drawn & within).sum() >= 0.85 * (drawn | within).sum()


def pixels(model_input, model):
    """Digests of what the VLM's tower and SAM2's encoder take in, to the byte."""
    views = [cut(torch.from_numpy(model_input.image), view) for view in model_input.views]
    encoder = encoder_pixels(model_input, model.sam.size.image_px)
    return [sha256(one.numpy().tobytes()).hexdigest() for one in (*views, encoder)]


def visible(mask, model_input):
    """The part of a mask that SAM2 sees."""
    if model_input.encoder_box is None:
        return mask
    x0, y0, x1, y1 = model_input.encoder_box.as_ints()
    seen = np.zeros_like(mask)
    seen[y0:y1, x0:x1] = mask[y0:y1, x0:x1]
    return seen


def judge_as(level, models):
    """A classifier that judges every prompt to be of one level; conversations go by rule."""
    folder = models / "granularity"
    digest = read_json(folder / "config.json")["encoder_digest"]
    classifier, tasks = load_classifiers(folder, encoder_digest=digest)
    with torch.no_grad():
        classifier.layers[-1].weight.zero_()
        classifier.layers[-1].bias[:] = torch.tensor([9.0 * (one is level) for one in LABELS])
    save_classifiers(folder, classifier, tasks, encoder_digest=digest, metrics={})
