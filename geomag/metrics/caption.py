"""Caption scores: BLEU-1..4, ROUGE_L, CIDEr-D and METEOR 1.5 from per-image statistics.

protocols/captions#metrics. pycocoevalcap counts; here its counts are kept per image, so a corpus
score can be rebuilt for any weighting of the images without running Java again.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from geomag.errors import ToolError
from geomag.metrics.cider import cider_d
from geomag.metrics.java import meteor_lines, ptb_lines
from geomag.metrics.tally import Floats, Formula, Tally, Totals, share

PUNCTUATION = frozenset(
    [
        "''",
        "'",
        "``",
        "`",
        "-LRB-",
        "-RRB-",
        "-LCB-",
        "-RCB-",
        ".",
        "?",
        "!",
        ",",
        ":",
        "-",
        "--",
        "...",
        ";",
    ]
)
_SMALL, _TINY = 1e-9, 1e-15
ORDERS = (1, 2, 3, 4)
# METEOR 1.5, English: weights of exact, stem, synonym and paraphrase matches; alpha ... delta
_STAGES = (1.0, 0.6, 0.8, 0.6)
_ALPHA, _BETA, _GAMMA, _DELTA = 0.85, 0.2, 0.6, 0.75
_METEOR_COLUMNS = 23
WHOLE = "caption scores are of the whole test set (CIDEr counts documents over all of it)"


@dataclass(frozen=True, slots=True)
class Captions:
    """One image's answer and its references, tokenised: words parted by one blank."""

    hypothesis: str
    references: tuple[str, ...]


def sanitise(text: str) -> str:
    r"""One line of text: every run of white-space or control characters becomes one blank.

    CR, VT, FF and U+2028 would split a caption in the tokeniser and shift all later ones.

    >>> sanitise("two\u2028planes\x0b. ")
    'two planes .'
    """
    cleaned = (" " if unicodedata.category(c)[0] == "C" else c for c in text.replace("|||", " "))
    return " ".join("".join(cleaned).split())


def tokenise(texts: Sequence[str]) -> tuple[list[str], str]:
    """Tokens of each text joined by blanks, and which tokeniser gave them.

    Without Java the text is lower-cased, cut at punctuation and stripped of it, and the second
    value says so: such scores are near, but not equal to, published ones.
    """
    unique = list(dict.fromkeys(sanitise(text) for text in texts))
    try:
        lines, name = ptb_lines(unique), "PTB (Stanford CoreNLP 3.4.1)"
    except ToolError as missing:
        lines = [" ".join(re.findall(r"[\w'/-]+|[^\w\s]", text.lower())) for text in unique]
        name = f"lower case without punctuation ({missing.found})"
    tokens = {
        text: " ".join(word for word in line.split(" ") if word and word not in PUNCTUATION)
        for text, line in zip(unique, lines, strict=True)
    }
    return [tokens[sanitise(text)] for text in texts], name


def meteor_statistics(captions: Sequence[Captions]) -> Floats:
    """METEOR's 23 counts per image, ``[N, 23]``; needs Java.

    Raises:
        ToolError: Without Java, or when it breaks twice.
    """
    requests = [" ||| ".join(("SCORE", *c.references, c.hypothesis)) for c in captions]
    unique = list(dict.fromkeys(requests))
    rows = {
        request: [float(value) for value in line.split()]
        for request, line in zip(unique, meteor_lines(unique), strict=True)
    }
    return np.array([rows[r] for r in requests], dtype=np.float64).reshape(-1, _METEOR_COLUMNS)


def caption_tally(
    captions: Sequence[Captions],
    images: Sequence[str],
    meteor: Floats | None = None,
    *,
    cider_only: bool = False,
) -> Tally:
    """Statistics per image; CIDEr's document frequency is that of all images given.

    Args:
        captions: One entry per image.
        images: Their names.
        meteor: Output of `meteor_statistics`, or None when Java is absent.
        cider_only: Leave BLEU and ROUGE_L out: GCG does not report them, and ROUGE_L of its
            long descriptions is most of the time.
    """
    columns: dict[str, Floats] = {"n": np.ones(len(captions))}
    columns |= _cider_columns(captions)
    if not cider_only:
        columns |= {**_bleu_columns(captions), **_rouge_columns(captions)}
    if meteor is not None:
        whole = (
            (meteor[:, 20] == 1) & (meteor[:, 21] == meteor[:, 0]) & (meteor[:, 22] == meteor[:, 1])
        )
        for k in range(_METEOR_COLUMNS):
            columns[f"meteor_{k}"] = meteor[:, k]
        # a sentence matched whole, in one piece, counts no chunk in the corpus score
        columns["meteor_20"] = np.where(whole, 0.0, meteor[:, 20])
    return replace(Tally.of(images, columns), why_whole=WHOLE)


def caption_formulas(*, with_meteor: bool = True) -> dict[str, Formula]:
    """The metrics by their names in score files, raw (CIDEr in 0..10, the others in 0..1)."""
    table: dict[str, Formula] = {f"bleu_{n}": _bleu(n) for n in ORDERS}
    if with_meteor:
        table["meteor"] = _meteor
    return table | {"rouge_l": share("rouge_l"), "cider": share("cider")}


def _meteor(sums: Totals) -> Floats:
    """METEOR 1.5 of summed statistics: a corpus score, not the mean of sentence scores."""
    stage = [[sums[f"meteor_{4 + 4 * s + k}"] for k in range(4)] for s in range(4)]
    matched = [
        sum(
            w * (_DELTA * row[k] + (1 - _DELTA) * row[k + 2])
            for w, row in zip(_STAGES, stage, strict=True)
        )
        for k in (0, 1)
    ]
    lengths = [
        _DELTA * (sums[f"meteor_{k}"] - sums[f"meteor_{k + 2}"])
        + (1 - _DELTA) * sums[f"meteor_{k + 2}"]
        for k in (0, 1)
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = matched[0] / lengths[0], matched[1] / lengths[1]
        mean = precision * recall / (_ALPHA * precision + (1 - _ALPHA) * recall)
        chunks = sums["meteor_20"] / ((sums["meteor_21"] + sums["meteor_22"]) / 2)
        value = mean * (1 - _GAMMA * chunks**_BETA)
    return np.nan_to_num(np.asarray(value, dtype=np.float64), nan=0.0)


def _bleu(order: int) -> Formula:
    def formula(sums: Totals) -> Floats:
        product = np.ones_like(sums["testlen"])
        for k in range(1, order + 1):
            product = product * (sums[f"correct_{k}"] + _TINY) / (sums[f"guess_{k}"] + _SMALL)
        ratio = (sums["testlen"] + _TINY) / (sums["reflen"] + _SMALL)
        penalty = np.exp(np.minimum(0.0, 1 - 1 / ratio))
        return np.asarray(product ** (1 / order) * penalty, dtype=np.float64)

    return formula


def _bleu_columns(captions: Sequence[Captions]) -> Mapping[str, Floats]:
    from pycocoevalcap.bleu.bleu_scorer import cook_refs, cook_test

    cooked = [cook_test(c.hypothesis, cook_refs(c.references), "closest") for c in captions]
    table = {name: [row[name] for row in cooked] for name in ("testlen", "reflen")}
    for k in ORDERS:
        table[f"guess_{k}"] = [row["guess"][k - 1] for row in cooked]
        table[f"correct_{k}"] = [row["correct"][k - 1] for row in cooked]
    return {name: np.array(values, dtype=np.float64) for name, values in table.items()}


def _pairs(captions: Sequence[Captions]) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """References and answers as pycocoevalcap takes them."""
    references = {i: list(c.references) for i, c in enumerate(captions)}
    return references, {i: [c.hypothesis] for i, c in enumerate(captions)}


def _rouge_columns(captions: Sequence[Captions]) -> Mapping[str, Floats]:
    from pycocoevalcap.rouge.rouge import Rouge

    values = Rouge().compute_score(*_pairs(captions))[1] if captions else []
    return {"rouge_l": np.asarray(values, dtype=np.float64)}


def _cider_columns(captions: Sequence[Captions]) -> Mapping[str, Floats]:
    return {"cider": cider_d([c.hypothesis for c in captions], [c.references for c in captions])}
