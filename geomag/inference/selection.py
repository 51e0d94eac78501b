"""Which answer stands where there are two: through the window, or of the whole image.

Not in the paper, where a window is always trusted. A model that has also been trained on windows
without a target (`geomag.train.windows`) draws nothing there, or draws it unsurely, and that says
more about a window than the map it came from. Where both masks are of one object there is no doubt
about the window, and the magnified one is the finer.
"""

from collections.abc import Callable, Sequence

from geomag.config.schema import MagCropConfig
from geomag.inference.probes import WindowProposal
from geomag.model.geomag import GeoMag
from geomag.model.query import ModelAnswer, Query


def select_answer(
    plain: ModelAnswer, through: ModelAnswer, *, margin: float, agreement: float
) -> ModelAnswer:
    """Select the answer that stands.

    Through the window where the masks are of one object; else the answer with the surer mask, by
    its mean probability; without masks, with the surer words.

    Args:
        plain: Of the whole image.
        through: Through the window.
        margin: By how much the window's must be ahead; two masks of the same object are drawn at
            different scales, so their probabilities do not compare to the last digit.
        agreement: Masks whose IoU exceeds it are of one object; 1 is off.
    """
    if not (plain.mask_scores or through.mask_scores):
        ahead = through.text_score - plain.text_score
    elif _agreement(plain, through) > agreement:
        return through
    else:
        ahead = _drawn(through) - _drawn(plain)
    return through if ahead > margin else plain


def resolve_answers(
    model: GeoMag,
    config: MagCropConfig,
    answers: Sequence[ModelAnswer],
    found: Sequence[WindowProposal | None],
    whole: Callable[[int], Query],
    *,
    max_new_tokens: int,
) -> list[ModelAnswer]:
    """The answers that stand, in order (``magcrop.answer_selection``).

    Args:
        model: Asked once more about images whose plain answer no probe has.
        config: How answers are selected.
        answers: As the model gave them, through windows or not.
        found: Where each one looked; None where nothing was probed.
        whole: The i-th question about its whole image.
        max_new_tokens: Of an answer.
    """
    if config.answer_selection == "window":
        return list(answers)
    plain: dict[int, ModelAnswer] = {}
    asked = []
    for i, one in enumerate(found):
        if one is None or not one.boxes:
            continue
        if one.plain is not None:
            plain[i] = one.plain
        else:
            asked.append(i)
    if asked:
        said = model.answer([whole(i) for i in asked], max_new_tokens=max_new_tokens)
        plain.update(zip(asked, said, strict=True))
    return [
        select_answer(
            plain[i], answer, margin=config.answer_margin, agreement=config.answer_agreement
        )
        if i in plain
        else answer
        for i, answer in enumerate(answers)
    ]


def _drawn(answer: ModelAnswer) -> float:
    return answer.mask_scores[0] if answer.mask_scores else 0.0


def _agreement(plain: ModelAnswer, through: ModelAnswer) -> float:
    """IoU of the first masks; 0 where one draws nothing."""
    if not (plain.masks and through.masks):
        return 0.0
    one, other = plain.masks[0], through.masks[0]
    return int((one & other).sum()) / max(int((one | other).sum()), 1)
