"""What the Eq 4 probe finds for a prompt, whatever MagCrop would do with it: for pictures."""

from contextlib import nullcontext

from geomag.data.benchmarks import Granularity
from geomag.inference.pipeline import Pipeline
from geomag.inference.probing import Probed, probe_all, window_rule
from geomag.inference.prompt import Prompt
from geomag.magcrop.compose import RgbImage
from geomag.magcrop.crops import Heat
from geomag.magcrop.window import select_window
from geomag.model.model_input import plain_look


def probe_heat(pipeline: Pipeline, image: RgbImage, prompt: Prompt, level: Granularity) -> Heat:
    """Eq 4 over the image ``uint8 [H, W, 3]``, and over C_1 at pixel level."""
    wording = prompt.probe(pipeline.profile.prompt.probe)
    queries = [Probed(image, wording, level)]
    return next(probe_all(pipeline.model.vlm, queries, pipeline.profile))


def heat_share(pipeline: Pipeline, heat: Heat, image: RgbImage) -> float:
    """Part of the heat inside C_1's window of cells, in [0, 1]."""
    height, width = image.shape[:2]
    rule = window_rule(pipeline.profile)
    return select_window(heat.first, width=width, height=height, rule=rule).share


def target_token(pipeline: Pipeline, image: RgbImage, prompt: Prompt) -> str:
    """The token whose loss Eq 4 differentiates: the first one that the probed model says."""
    vlm, profile = pipeline.model.vlm, pipeline.profile
    asked = vlm.prompt_ids(prompt.probe(profile.prompt.probe))
    is_base = profile.magcrop.weights == "base"
    with vlm.base_weights() if is_base else nullcontext():
        packed = vlm.pack([asked], pipeline.model.visual([plain_look(image, profile)]))
        said = vlm.generate(packed, max_new_tokens=1).tokens[0]
    return vlm.decode(said) if said else str(vlm.tokenizer.eos_token)
