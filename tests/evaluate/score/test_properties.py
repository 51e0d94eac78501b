"""Properties of whole scores: order, shards, extremes, a new benchmark."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, recall_score

from geomag.bench.score import made_up
from geomag.config.schema import ScoreConfig
from geomag.data.benchmarks import BENCHMARKS, Benchmark, Granularity, Split, Task
from geomag.errors import PredictionError
from geomag.evaluate.score import referring as score_referring
from geomag.evaluate.score import scenes as score_scenes
from geomag.evaluate.score import vqa as score_vqa
from geomag.evaluate.score.context import ScoringContext
from geomag.evaluate.score.inputs import Joined, Prediction, read_predictions
from geomag.evaluate.score.run import PRECOMPUTE, score
from geomag.evaluate.score.run import SCORERS as SCORERS_OF_TASK
from geomag.io import write_jsonl
from geomag.metrics.segmentation import Overlap, formulas, overlap_tally
from tests.evaluate.score.cases import lay, scene

SCORERS = {
    "refsegrs": score_referring.evaluate,
    "rsvqa_lr": score_vqa.evaluate,
    "aid": score_scenes.evaluate,
}


def joined(name, count):
    rows = [row for row, _ in zip(made_up(name), range(count), strict=False)]
    answers = [
        Prediction(a.get("text", ""), tuple(a.get("masks", ())), tuple(a.get("phrases", ())))
        for _, a in rows
    ]
    return Joined(tuple(r for r, _ in rows), tuple(answers))


def metrics(name, part):
    return SCORERS[name](part, ScoringContext(), extras=False).metrics()


@pytest.mark.parametrize("name", sorted(SCORERS))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**31))
def test_the_order_of_records_does_not_matter(name, seed):
    part = joined(name, 40)
    order = np.random.default_rng(seed).permutation(len(part.records))
    mixed = Joined(tuple(part.records[i] for i in order), tuple(part.predictions[i] for i in order))
    assert metrics(name, mixed) == pytest.approx(metrics(name, part), abs=1e-12)


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_truth_scores_one_and_silence_scores_zero(name):
    part = joined(name, 60)
    truth = tuple(Prediction((r.answers or ("",))[0], r.masks) for r in part.records)
    found = metrics(name, Joined(part.records, truth))
    assert set(found.values()) == {1.0}
    silent = metrics(name, Joined(part.records, (None,) * len(part.records)))
    assert set(silent.values()) == {0.0}


def text_joined(name, count, tmp_path):
    part = joined(name, count)
    context = ScoringContext(config=ScoreConfig(resamples=10), cache=tmp_path)
    scorer, precompute = SCORERS_OF_TASK[BENCHMARKS[name].task], PRECOMPUTE[BENCHMARKS[name].task]
    order = np.random.default_rng(4).permutation(count)
    truth = tuple(
        Prediction(r.text or (r.answers or ("",))[0], r.masks, r.phrases) for r in part.records
    )
    sets = {
        "given": part,
        "mixed": Joined(
            tuple(part.records[i] for i in order), tuple(part.predictions[i] for i in order)
        ),
        "truth": Joined(part.records, truth),
        "silent": Joined(part.records, (None,) * count),
    }
    precompute(list(sets.values()), context)
    return {key: scorer(one, context, extras=False).metrics() for key, one in sets.items()}


@pytest.mark.integration
@pytest.mark.parametrize("name", ["geopixeld", "dior_rsvg", "ucm_captions"])
def test_order_truth_and_silence_where_words_are_compared(name, tmp_path):
    found = text_joined(name, 30, tmp_path)
    assert found["mixed"] == pytest.approx(found["given"], abs=1e-9)
    assert set(found["silent"].values()) == {0.0}
    ceiling = dict.fromkeys(found["truth"], 1.0)
    if "cider" in ceiling:  # no bound of its own: more than any other answer gets
        ceiling["cider"] = pytest.approx(found["truth"]["cider"])
        assert found["truth"]["cider"] > found["given"]["cider"] > 0
    if name == "dior_rsvg":
        ceiling["semantic_similarity"] = pytest.approx(1.0, abs=1e-6)
    if name == "ucm_captions":  # one of five references copied: METEOR's best alignment is its own
        ceiling["rouge_l"] = pytest.approx(found["truth"]["rouge_l"])
        assert found["truth"]["rouge_l"] > 0.99
    assert found["truth"] == pytest.approx(ceiling)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(names=st.lists(st.text(min_size=1, max_size=8), min_size=1, unique=True), data=st.data())
def test_adding_a_duplicate_anywhere_is_refused(tmp_path, names, data):
    rows = [{"id": name, "text": "yes"} for name in names]
    file = tmp_path / "p.jsonl"
    write_jsonl(file, rows)
    assert len(read_predictions(file)) == len(names)
    again = data.draw(st.sampled_from(names))
    rows.insert(data.draw(st.integers(0, len(rows))), {"id": again, "text": "no"})
    write_jsonl(file, rows)
    with pytest.raises(PredictionError, match="a second prediction of id"):
        read_predictions(file)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1))
def test_accuracies_equal_sklearns(pairs):
    truths, given_ = [t for t, _ in pairs], [g for _, g in pairs]
    rows = [scene(i, truth) for i, truth in enumerate(truths)]
    answers = tuple(Prediction(g) for g in given_)
    found = score_scenes.evaluate(
        Joined(tuple(rows), answers), ScoringContext(), extras=False
    ).metrics()
    recalls = recall_score(truths, given_, labels=sorted(set(truths)), average=None)
    assert found["accuracy"] == pytest.approx(accuracy_score(truths, given_), abs=1e-9)
    assert found["balanced_accuracy"] == pytest.approx(recalls.mean(), abs=1e-9)


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from("abc")),
        min_size=2,
        max_size=30,
    ),
    st.integers(1, 29),
)
def test_shards_merge_to_one_pass(rows, cut):
    overlaps = [Overlap(min(a, b), max(a, b)) for a, b, _ in rows]
    images = [image for _, _, image in rows]
    whole = overlap_tally(overlaps, images)
    parts = [overlap_tally(overlaps[s], images[s]) for s in (slice(cut), slice(cut, None))]
    merged = parts[1].merge(parts[0])
    for formula in formulas().values():
        assert merged.value(formula) == pytest.approx(whole.value(formula), nan_ok=True)


def test_made_up_sets_have_the_protocols_sizes():
    assert sum(b.counts[split] for b in BENCHMARKS.values() for split in b.test_splits) == 394_844
    for name in ("ucm_captions", "sydney_captions"):
        rows = list(made_up(name))
        assert len(rows) == BENCHMARKS[name].counts[BENCHMARKS[name].test_splits[0]]
        assert all(len(record.answers) == 5 for record, _ in rows)
    small = list(made_up("rsvqa_hr", 0.001))
    assert {r.split for r, _ in small} == {Split.TEST, Split.TEST_PHILI}
    assert len({r.id for r, _ in small}) == len(small)


def test_a_new_benchmark_is_one_entry(tmp_path, monkeypatch):
    toy = Benchmark(
        name="toy", title="Toy", task=Task.SCENE, granularity=Granularity.IMAGE, trains=False
    )
    monkeypatch.setitem(BENCHMARKS, "toy", toy)
    rows = [scene(i, label, benchmark="toy") for label in ("cat", "dog") for i in range(2)]
    _, file = lay(tmp_path, rows, [{"id": r.id, "text": "A dog."} for r in rows])
    found = score("toy", file, rows, ScoringContext(config=ScoreConfig(resamples=20))).score
    assert found["benchmark"] == "toy"
    assert found["metrics"]["accuracy"] == 0.0
    assert found["variants"]["lenient"]["accuracy"] == 0.5
