"""One path: what `ask` says of a bare question is what `predict` says of the record.

Both go through the command line's own parts: `ask_image` on the picture's file with a person's
words, and `predict_benchmark` on the records file. The classifier and its task head are trained.
"""

import numpy as np
import pytest
from PIL import Image

from geomag.ask.answer import ask_image
from geomag.ask.notes import plain_text
from geomag.ask.options import AskOptions
from geomag.config import load_profile, override
from geomag.data.benchmarks import BENCHMARKS, Task
from geomag.data.records import Record, write_records
from geomag.evaluate.predict import Source, predict_benchmark
from geomag.geometry import PixelBox, decode_mask, encode_mask
from geomag.inference.pipeline import Pipeline
from geomag.io import read_jsonl
from geomag.magcrop.text_encoder import build_text_encoder
from geomag.serve.answering import answer_picture
from geomag.train.granularity.fit import train_granularity
from tests.ask.models import write_project

pytestmark = pytest.mark.integration
WIDTH, HEIGHT = 120, 90
MASK = np.zeros((HEIGHT, WIDTH), dtype=bool)
MASK[8:30, 6:40] = True
FIELDS = {
    Task.REFERRING: {"text": "the red ship", "masks": (encode_mask(MASK),)},
    Task.GCG: {
        "text": "See <p> a ship </p> [SEG].",
        "phrases": ("a ship",),
        "masks": (encode_mask(MASK),),
    },
    Task.VQA: {"text": "Is a dam present?", "answers": ("no",), "kind": "presence"},
    Task.ROC: {"boxes": (PixelBox(12.0, 9.0, 60.0, 45.0),), "answers": ("ship",)},
    Task.CAPTION: {"answers": ("A ship.",)},
    Task.SCENE: {"answers": ("airport",)},
}
TYPED = {
    Task.REFERRING: "Segment the red ship.",
    Task.GCG: "Describe this image in detail with masks for the objects.",
    Task.VQA: "Is a dam present?",
    Task.ROC: "What is the object in [0.10, 0.10, 0.50, 0.50]?",
    Task.CAPTION: "Describe this image.",
    Task.SCENE: "Which {title} scene class is this?",
}
"""What a person would type where the benchmark has that record."""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    profile = load_profile(str(write_project(root)))
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(root / "picture.png")
    profile = override(profile, prompt={"wordings": "evaluation"})
    models = root / "artifacts" / "models"
    encoder = build_text_encoder(profile.text_encoder)
    train_granularity(profile.granularity, encoder, models / "granularity")
    return root, profile, Pipeline.load(models, profile)


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=BENCHMARKS)
def test_a_bare_question_is_answered_as_the_record_is(project, benchmark, tmp_path):
    root, profile, pipeline = project
    record = Record(
        benchmark=benchmark.name,
        id="1",
        split=benchmark.test_splits[0],
        task=benchmark.task,
        image="picture.png",
        width=WIDTH,
        height=HEIGHT,
        **FIELDS[benchmark.task],
    )
    write_records(tmp_path / "records.jsonl", [record])
    source = Source(benchmark.name, root, tmp_path / "records.jsonl", tmp_path, is_line=False)
    out = tmp_path / "rows.jsonl"
    artifacts = root / "artifacts"
    predict_benchmark(source, "magcrop", profile, artifacts=artifacts, out=out, log=lambda _: None)
    (row,) = read_jsonl(out)

    words = TYPED[benchmark.task].format(title=benchmark.title)
    picture = root / "picture.png"
    answer = ask_image(
        pipeline, picture, words, tmp_path / "out", AskOptions(min_area_px=1), log=lambda _: None
    )
    assert answer["prompt"]["task"] == benchmark.task.value
    assert answer["prompt"]["given"] == words
    assert answer["looks"][0]["said"] == row["text"]
    assert answer["granularity"] == row["granularity"]
    assert len(answer.get("masks", [])) == row["n_masks"]
    served = answer_picture(pipeline, picture.read_bytes(), words, AskOptions(min_area_px=1))
    assert served["text"] == plain_text(row["text"])
    drawn = [decode_mask(mask) for mask in row["masks"]]
    said = [decode_mask(mask) for mask in served["masks"]]
    taken = np.zeros((HEIGHT, WIDTH), dtype=bool)
    for mask, other in zip(drawn, said, strict=False):
        assert np.array_equal(mask & ~taken, other)  # of two masks the first keeps a pixel
        taken |= mask
