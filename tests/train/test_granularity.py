"""The classifier job: held-out wordings stay held out, the bar is met, equal seeds equal bytes."""

import numpy as np
import pytest
import torch

from geomag.config import load_profile
from geomag.data.benchmarks import Granularity, Task
from geomag.io import read_json
from geomag.magcrop.granularity import LABELS, TASKS, GranularityClassifier, load_classifiers
from geomag.magcrop.text_encoder import build_text_encoder
from geomag.seeds import seed_of
from geomag.train.granularity.fit import (
    LabelledTexts,
    fit_head,
    labelled_texts,
    measure,
    train_granularity,
)
from geomag.train.granularity.texts import fill, templates

PROFILE = load_profile("sample")
SEED = PROFILE.granularity.seed


def test_no_wording_is_in_two_parts():
    found = templates(SEED)
    assert len({t.text for t in found}) == len(found)
    for part in ("train", "val", "test"):
        tasks = {t.task for t in found if t.part == part}
        assert tasks == set(Task)


def test_no_text_of_an_unseen_template_is_trained_on():
    texts = {part: set(labelled_texts(part, SEED).texts) for part in ("train", "val", "test")}
    assert not texts["test"] & (texts["train"] | texts["val"])
    assert not texts["val"] & texts["train"]


def test_templates_weigh_the_same_however_many_texts_they_fill():
    data = labelled_texts("test", SEED)
    n_templates = sum(t.part == "test" for t in templates(SEED))
    assert float(data.weights.sum()) == pytest.approx(1.0)
    captions = sum(t.part == "test" and t.task is Task.CAPTION for t in templates(SEED))
    of_caption = torch.tensor([t is Task.CAPTION for t in data.tasks])
    assert float(data.weights[of_caption].sum()) == pytest.approx(captions / n_templates)


def test_tasks_carry_the_level_of_their_benchmark():
    levels = {t.task: t.granularity for t in templates(SEED)}
    assert levels == {
        Task.CAPTION: Granularity.IMAGE,
        Task.SCENE: Granularity.IMAGE,
        Task.VQA: Granularity.REGION,
        Task.ROC: Granularity.REGION,
        Task.REFERRING: Granularity.PIXEL,
        Task.GCG: Granularity.PIXEL,
    }


def test_filled_texts_have_no_slot_left_and_depend_on_the_seed_only():
    for template in templates(SEED):
        texts = fill(template, SEED, 5)
        assert texts == fill(template, SEED, 5)
        assert not any("{" in text or "}" in text for text in texts)


def test_the_measure_on_a_hand_count():
    # logits copy the vector; three texts of two templates: one template right, one half right
    head = GranularityClassifier(3, hidden=(), dropout=0.0)
    with torch.no_grad():
        head.layers[0].weight.copy_(torch.eye(3))
        head.layers[0].bias.zero_()
    data = LabelledTexts(
        texts=("a", "b", "c"),
        tasks=(Task.CAPTION, Task.VQA, Task.VQA),
        labels=torch.tensor([0, 1, 1]),
        weights=torch.tensor([0.5, 0.25, 0.25]),
    )
    vectors = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])
    assert measure(head, vectors, data, LABELS) == {
        "accuracy": 0.75,
        "labels": ["image", "region", "pixel"],
        "confusion": [[1, 0, 0], [0, 1, 1], [0, 0, 0]],
        "by_task": {"caption": 1.0, "vqa": 0.5},
    }


@pytest.fixture(scope="module")
def encoder():
    return build_text_encoder(PROFILE.text_encoder)


@pytest.fixture(scope="module")
def trained(encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("granularity") / "model"
    torch.manual_seed(1)
    return folder, train_granularity(PROFILE.granularity, encoder, folder)


@pytest.mark.integration
def test_unseen_templates_are_judged_right_95_times_in_100(trained, encoder):
    folder, run = trained
    assert run.accuracy >= 0.95
    metrics = read_json(folder / "metrics.json")
    confusion = np.array(metrics["unseen_templates"]["confusion"])
    data = labelled_texts("test", SEED)
    assert confusion.sum(axis=1).tolist() == torch.bincount(data.labels).tolist()
    assert metrics["gcg_rule"]["recall"] >= 0.9
    assert metrics["gcg_rule"]["false_alarms"] <= 0.02
    levels, tasks = load_classifiers(folder, encoder_digest=encoder.digest)
    answers = levels(encoder.encode(data.texts))
    right = int((answers.argmax(dim=1) == data.labels).sum())
    assert right == confusion.trace()
    task = metrics["task"]
    assert task["sure"]["val"]["accuracy"] >= 0.99
    assert task["sure"]["test"]["accuracy"] >= 0.97
    assert task["sure"]["test"]["share"] >= 0.85
    named = tasks(encoder.encode(data.texts)).argmax(dim=1).tolist()
    right = sum(TASKS[i] is truth for i, truth in zip(named, data.tasks, strict=True))
    assert right == np.trace(np.array(task["unseen_templates"]["confusion"]))


@pytest.mark.integration
def test_the_task_head_leaves_the_papers_classifier_as_it_was(trained, encoder, tmp_path):
    """Equal to a training of the three-way head alone, to the last bit."""
    folder, _ = trained
    config = PROFILE.granularity
    parts = {part: labelled_texts(part, SEED) for part in ("train", "val")}
    vectors = {part: encoder.encode(data.texts) for part, data in parts.items()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(SEED, "granularity"))
        alone = GranularityClassifier(encoder.width, config.hidden, config.dropout)
        fit_head(alone, config, parts, vectors)
    levels, _ = load_classifiers(folder, encoder_digest=encoder.digest)
    for name, tensor in alone.state_dict().items():
        assert torch.equal(tensor, levels.state_dict()[name])


@pytest.mark.integration
def test_our_own_prompts_are_all_judged_right(trained, encoder):
    folder, _ = trained
    classifier, _ = load_classifiers(folder, encoder_digest=encoder.digest)
    queries = {
        "Describe this image in one sentence.": Granularity.IMAGE,
        "Name the scene class of this image.": Granularity.IMAGE,
        "Is a small building present?\nAnswer with a single word or short phrase.": (
            Granularity.REGION
        ),
        "What is the object in [0.17, 0.30, 0.86, 0.84]? Answer in a few words.": (
            Granularity.REGION
        ),
        "Mark the red ship next to the bridge in this image with a mask.": Granularity.PIXEL,
    }
    answers = classifier(encoder.encode(list(queries))).argmax(dim=1)
    assert [LABELS[i] for i in answers] == list(queries.values())


@pytest.mark.integration
def test_equal_seeds_give_equal_files_whatever_the_global_state(trained, encoder, tmp_path):
    _, run = trained
    torch.manual_seed(99)
    state = torch.get_rng_state()
    again = train_granularity(PROFILE.granularity, encoder, tmp_path / "model")
    assert torch.equal(torch.get_rng_state(), state)
    assert again.digest == run.digest
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == [
        "complete.json", "config.json", "metrics.json", "model.safetensors",
        "task.safetensors",
    ]  # fmt: skip
