"""An adapter merged into the weights answers as the adapter beside them, and can be taken out."""

import pytest
import torch

from geomag.config.schema import AdapterConfig
from geomag.errors import WeightsError
from geomag.model.adapter import adapter_parameters, attach_adapter
from tests.model.test_adapter import PROMPT, logits, shaken
from tests.model.tiny import tiny_vlm


def adapted(**settings):
    torch.manual_seed(0)  # of the adapter's first weights
    vlm = tiny_vlm(seed=4)
    attach_adapter(vlm, AdapterConfig(rank=4, **settings))
    return shaken(vlm).eval()


def generated(vlm):
    visual = torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    return vlm.generate(vlm.pack([vlm.ids(PROMPT)], [visual]), max_new_tokens=12)


@pytest.mark.parametrize("targets", ["qv", "all_linear"])
def test_merged_logits_are_those_of_the_adapter_beside_the_weights(targets):
    vlm = adapted(targets=targets)
    wanted, said = logits(vlm), generated(vlm)
    vlm.merge_adapter()
    assert float((logits(vlm) - wanted).detach().norm() / wanted.detach().norm()) < 1e-4
    again = generated(vlm)
    assert again.tokens == said.tokens
    assert float((again.states[0] - said.states[0]).norm() / said.states[0].norm()) < 1e-4


def test_under_the_merged_adapter_the_base_model_is_exact_and_comes_and_goes():
    base = logits(tiny_vlm(seed=4))
    vlm = adapted()
    vlm.merge_adapter()
    merged = logits(vlm)
    for _ in range(2):
        with vlm.base_weights():
            assert torch.equal(logits(vlm), base)
        assert torch.equal(logits(vlm), merged)


def test_no_module_of_peft_is_left_in_the_merged_model():
    vlm = adapted()
    vlm.merge_adapter()
    kinds = {type(module).__module__.partition(".")[0] for module in vlm.llava.modules()}
    assert "peft" not in kinds


def test_undone_it_trains_as_before():
    vlm = adapted()
    before, names = logits(vlm), list(adapter_parameters(vlm))
    vlm.merge_adapter()
    vlm.unmerge_adapter()
    assert list(adapter_parameters(vlm)) == names
    assert torch.equal(logits(vlm), before)
    assert vlm.merged is None


def test_a_merged_weight_that_is_not_finite_is_refused():
    vlm = adapted()
    next(iter(adapter_parameters(vlm).values())).data.fill_(float("inf"))
    with pytest.raises(WeightsError, match="infinite"):
        vlm.merge_adapter()


def test_a_trained_projector_is_merged_and_the_bases_own_stays_beside_it():
    base, vlm = tiny_vlm(seed=4), adapted(projector=True)
    features = torch.randn(2, 4, 32, generator=torch.Generator().manual_seed(3))
    wanted = vlm.llava.model.multi_modal_projector(features)
    own = base.llava.model.multi_modal_projector(features)
    assert not torch.allclose(wanted, own)
    vlm.merge_adapter()
    assert torch.equal(vlm.llava.model.multi_modal_projector(features), wanted)
    with vlm.base_weights():
        assert torch.equal(vlm.llava.model.multi_modal_projector(features), own)


def test_tied_tables_are_merged_once():
    vlm = tiny_vlm(seed=4)
    vlm.llava.lm_head.weight = vlm.llava.get_input_embeddings().weight
    before = vlm.llava.lm_head.weight.detach().clone()
    attach_adapter(vlm, AdapterConfig(rank=4))
    shaken(vlm).eval().merge_adapter()
    assert vlm.llava.lm_head.weight is vlm.llava.get_input_embeddings().weight
    with vlm.base_weights():
        assert torch.equal(vlm.llava.lm_head.weight, before)
    assert not torch.equal(vlm.llava.lm_head.weight, before)
