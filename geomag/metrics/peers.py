"""How published scorers decide that an answer is right: kept to show what their rules do.

protocols/rsvqa#right-answers, protocols/scenes#right-names. None of these gives a number of ours:
the report's page on scorers applies them to the same predictions.
"""

import re
import string
from collections.abc import Callable

_NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
_ARTICLES = frozenset({"a", "an", "the"})


def geochat(prediction: str, answer: str) -> bool:
    """GeoChat: lower case, every blank and period deleted, equal."""

    def plain(text: str) -> str:
        return text.lower().replace(" ", "").replace(".", "")

    return plain(prediction) == plain(answer)


def fit_rs(prediction: str, answer: str) -> bool:
    """FIT-RS, InternVL: lower case, equal."""
    return prediction.lower() == answer.lower()


def teochat(prediction: str, answer: str) -> bool:
    """TEOChat: lower case, all punctuation deleted, equal."""
    table = str.maketrans("", "", string.punctuation)
    return prediction.lower().translate(table) == answer.lower().translate(table)


def lhrs_bot(prediction: str, answer: str) -> bool:
    """LHRS-Bot: VQA clean-up, equal or a part of the answer; so nothing at all is right."""

    def cleaned(text: str) -> str:
        words = re.sub(rf"[{re.escape(string.punctuation)}]", "", text.lower().strip()).split(" ")
        numbered = (str(_NUMBERS.index(w)) if w in _NUMBERS else w for w in words)
        return " ".join(w for w in numbered if w not in _ARTICLES)

    return cleaned(prediction) in cleaned(answer)


def rsevalkit(prediction: str, answer: str) -> bool:
    """RSEvalKit (VHM): blanks deleted, a part of the answer; so nothing at all is right."""
    return prediction.replace(" ", "") in answer.replace(" ", "")


def earthdial(prediction: str, answer: str) -> bool:
    """EarthDial: every word of the answer occurs in the prediction."""
    words = set(re.findall(r"\w+", prediction.lower()))
    return set(re.findall(r"\w+", answer.lower())) <= words


RULES: dict[str, Callable[[str, str], bool]] = {
    "GeoChat": geochat,
    "FIT-RS, InternVL": fit_rs,
    "TEOChat": teochat,
    "LHRS-Bot": lhrs_bot,
    "RSEvalKit": rsevalkit,
    "EarthDial": earthdial,
}
