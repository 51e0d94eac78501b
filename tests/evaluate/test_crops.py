"""The crops stage asks what prediction asks the probe, and a window stays that of its map."""

import json

import numpy as np
import pytest
from PIL import Image

from geomag.config import load_profile, override
from geomag.data.benchmarks import BENCHMARKS, Split, Task
from geomag.data.records import Record, write_records
from geomag.errors import AnnotationError
from geomag.evaluate.crops import make_crops
from geomag.evaluate.predict import Source, predict_benchmark
from geomag.geometry import PixelBox
from geomag.train.model import stored_heat
from tests.ask.models import write_project

pytestmark = pytest.mark.integration
FIELDS = {
    Task.REFERRING: [{"text": "The red ship."}, {"text": "the grey dam"}],
    Task.VQA: [{"text": "Is a dam present?", "answers": ("no",), "kind": "presence"}],
    Task.ROC: [{"boxes": (PixelBox(12.345, 9.0, 61.7, 45.0),), "answers": ("ship",)}],
}
PROBED = [b for b in BENCHMARKS.values() if b.crops]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    profile = load_profile(str(write_project(root)))
    for seed, benchmark in enumerate(PROBED):
        pixels = np.random.default_rng(seed).integers(0, 256, (90, 120, 3), dtype=np.uint8)
        folder = root / "data" / benchmark.name
        folder.mkdir(parents=True)
        Image.fromarray(pixels).save(folder / "a.png")
        rows = [
            Record(
                benchmark=benchmark.name,
                id=str(number),
                split=Split.TEST,
                task=benchmark.task,
                image="a.png",
                width=120,
                height=90,
                **fields,
            )
            for number, fields in enumerate(FIELDS[benchmark.task])
        ]
        write_records(root / "artifacts" / "records" / benchmark.name / "records.jsonl", rows)
    return root, override(profile, prompt={"box_decimals": 1}, magcrop={"gate": 0.0})


def crops(project, benchmark):
    root, profile = project
    parts = {"data": root / "data", "artifacts": root / "artifacts", "work": root / "work"}
    make_crops(benchmark.name, profile, **parts)
    return {path.name for path in (root / "work" / "heat").rglob("*.npy")}


def predict(project, benchmark, *, is_line, **sections):
    root, profile = project
    records = root / "artifacts" / "records" / benchmark.name / "records.jsonl"
    heat = root / "work" / "heat"
    source = Source(benchmark.name, root / "data" / benchmark.name, records, heat, is_line)
    out, profile = root / "out.jsonl", override(profile, **sections)
    predict_benchmark(
        source, "magcrop", profile, artifacts=root / "artifacts", out=out, log=lambda _: None
    )
    return [json.loads(line) for line in out.read_text().splitlines()]


@pytest.mark.parametrize("benchmark", PROBED, ids=lambda b: b.name)
def test_prediction_asks_the_probe_what_the_stage_asked_it(project, benchmark):
    kept = crops(project, benchmark)
    predict(project, benchmark, is_line=False)  # probed now: found in the cache, by image and words
    root, _ = project
    now = {path.name for path in (root / "work" / "heat").rglob("*.npy")}
    # a tiny judge calls every prompt pixel-level, so a second map is new where the stage had none
    assert len(now - kept) == (0 if benchmark.task is Task.REFERRING else 1)


def test_another_window_rule_over_stored_maps_gives_what_it_gives_over_its_own(project):
    benchmark, root = BENCHMARKS["rrsis_d"], project[0]
    crops(project, benchmark)
    first = predict(project, benchmark, is_line=True)
    other = {"magcrop": {"gate": 0.0, "sizes": [0.5]}}
    over_stored = predict(project, benchmark, is_line=True, **other)
    assert over_stored == predict(project, benchmark, is_line=False, **other)
    assert over_stored != first
    changed = override(project[1], **other)
    with pytest.raises(AnnotationError, match=r"another windows.*geomag crops rrsis_d"):
        stored_heat(benchmark, changed, root / "artifacts")


def test_maps_of_another_wording_are_refused(project):
    benchmark = BENCHMARKS["rrsis_d"]
    crops(project, benchmark)
    with pytest.raises(AnnotationError, match=r"another probe.*geomag crops rrsis_d"):
        predict(project, benchmark, is_line=True, prompt={"probe": "short"})
