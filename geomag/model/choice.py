"""Which answer stands where there are two: through the window, or of the whole image.

Not in the paper, where a window is always trusted. A model that has also been trained on windows
without a target (`geomag.train.windows`) draws nothing there, or draws it unsurely, and that says
more about a window than the map it came from.
"""

from collections.abc import Callable, Sequence

from geomag.config.schema import MagCropConfig
from geomag.model.geomag import Answer, GeoMag, Query
from geomag.model.probes import Found


def surer(plain: Answer, through: Answer, *, margin: float) -> Answer:
    """The answer with the surer mask, by its mean probability; without masks, the surer words.

    Args:
        plain: Of the whole image.
        through: Through the window.
        margin: By how much the window's must be ahead; two masks of the same object are drawn at
            different scales, so their probabilities do not compare to the last digit.
    """
    if plain.mask_scores or through.mask_scores:
        ahead = _drawn(through) - _drawn(plain)
    else:
        ahead = through.text_score - plain.text_score
    return through if ahead > margin else plain


def settle(
    model: GeoMag,
    answers: Sequence[Answer],
    found: Sequence[Found | None],
    whole: Callable[[int], Query],
    *,
    max_new_tokens: int,
) -> list[Answer]:
    """The answers that stand, in order (``magcrop.answer``).

    Args:
        model: Asked once more about images whose plain answer no probe has.
        answers: As the model gave them, through windows or not.
        found: Where each one looked; None where nothing was probed.
        whole: The i-th question about its whole image.
        max_new_tokens: Of an answer.
    """
    config: MagCropConfig = model.profile.magcrop
    if config.answer == "window":
        return list(answers)
    plain: dict[int, Answer] = {}
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
        surer(plain[i], answer, margin=config.answer_margin) if i in plain else answer
        for i, answer in enumerate(answers)
    ]


def _drawn(answer: Answer) -> float:
    return answer.mask_scores[0] if answer.mask_scores else 0.0
