"""Gradient checkpointing: less is kept for the backward pass, which gives the same gradients."""

import torch

from geomag.bench.gpu.random_model import Scale, profile_of, random_model
from geomag.bench.gpu.training import training_samples
from geomag.model.footprint import MASKS, footprint, kept_per_layer, kept_per_mask
from geomag.train.joint import JointTraining


def update(model, profile, samples):
    """Gradients of one micro-batch with dropout, and the bytes that its forward pass kept."""
    job = JointTraining.of_samples(model, samples, profile.train, profile.prompt)
    parameters = job.parameters()
    model.train()
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage.nbytes()
        return tensor

    torch.manual_seed(3)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        batch = job.batch(0, 4)
        loss = job.losses(batch, batch)["total"]
    loss.backward()
    gradients = {name: p.grad for name, p in parameters.items() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    model.eval()
    return gradients, sum(kept.values())


def test_checkpointing_keeps_less_and_changes_no_gradient():
    scale = Scale(device="cpu", layers=4, small=True)
    model, profile = random_model(scale), profile_of(scale)
    samples = training_samples(model, profile)
    wanted, kept_of_all = update(model, profile, samples)
    model.vlm.checkpoint_activations(on=True)
    found, kept_of_some = update(model, profile, samples)
    assert set(found) == set(wanted)
    assert any("lora_A" in name for name in found)
    for name, gradient in wanted.items():
        assert torch.equal(found[name], gradient), name
    assert kept_of_some < kept_of_all
    model.vlm.checkpoint_activations(on=False)
    again, kept_again = update(model, profile, samples)
    assert kept_again == kept_of_all
    assert all(torch.equal(again[name], gradient) for name, gradient in wanted.items())


def test_the_estimate_keeps_every_layers_input_and_one_layers_rest():
    model = random_model(Scale(device="cpu", layers=4, small=True))
    config, positions = model.vlm.llava.config.text_config, 2 * 5000
    plain, checkpointing = (
        footprint(model, [], micro_batch=2, n_tokens=5000, checkpointing=is_on).activations
        for is_on in (False, True)
    )
    layer = positions * kept_per_layer(config, element=4, rank=8, dropout=True)
    masks = round(2 * MASKS * kept_per_mask(model))
    assert layer > masks  # a layer is computed again when the masks' part has been given back
    inputs = positions * 4 * 4 * config.hidden_size
    assert plain - checkpointing == (4 * layer + masks) - (inputs + layer)
