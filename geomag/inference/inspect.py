"""What MagCrop did with a prompt, and what the Eq 4 probe would find: for pictures."""

from contextlib import nullcontext

from geomag.data.benchmarks import Granularity
from geomag.inference.pipeline import Pipeline
from geomag.inference.probing import Probed, probe_all, window_rule
from geomag.inference.prompt import Prompt
from geomag.inference.question import PreparedQuestion
from geomag.magcrop.compose import RgbImage
from geomag.magcrop.crops import Heat
from geomag.magcrop.mask_window import mask_window
from geomag.magcrop.window import select_window
from geomag.model.model_input import plain_input


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
        packed = vlm.pack([asked], pipeline.model.visual([plain_input(image, profile)]))
        said = vlm.generate(packed, max_new_tokens=1).tokens[0]
    return vlm.decode(said) if said else str(vlm.tokenizer.eos_token)


def why_whole(pipeline: Pipeline, prepared: PreparedQuestion) -> str:
    """The reason why no window was cut, as a sentence; empty where one was, or nobody looked."""
    decision, proposal = prepared.decision, prepared.proposal
    if prepared.boxes or decision is None:
        return ""
    if decision.bypassed:
        return "No crop: a grounded conversation is read whole (magcrop.gcg_bypass)."
    if proposal is None:
        return "No crop: at image level the whole image is read, coarser (Eq 2)."
    settings = pipeline.profile.magcrop
    if settings.probe == "attention":
        return (
            f"No crop: the best window holds {proposal.confidence:.0%} of the heat, and "
            f"magcrop.gate asks for {settings.gate:.0%}."
        )
    if decision.granularity is not Granularity.PIXEL:
        return (
            f"No crop: magcrop.probe is {settings.probe}, which looks around a mask, and the "
            f"prompt was judged to be about a {decision.granularity}."
        )
    if proposal.plain is None or not proposal.plain.masks or not proposal.plain.masks[0].any():
        return "No crop: the whole image's answer drew no mask to look around."
    window = mask_window(proposal.plain.masks[0], min_px=settings.min_px)
    if window is not None and window.is_doubtful:
        side = round(max(window.box.width, window.box.height))
        return (
            f"No crop: a window around the whole image's mask would be {side} pixels long, almost "
            "the image itself, and would magnify nothing."
        )
    return (
        f"No crop: the whole image's mask has the probability {proposal.confidence:.2f}, and "
        f"magcrop.mask_gate asks for {settings.mask_gate:.2f}."
    )
