"""Caption scores against the protocol's numbers and pycocoevalcap's own wrappers."""

import numpy as np
import pytest

from geomag.errors import ToolError
from geomag.metrics import caption, java
from geomag.metrics.caption import (
    Captions,
    caption_formulas,
    caption_tally,
    meteor_statistics,
    sanitise,
    tokenise,
)

PLANES = ("There are two planes at the airport .", "Two planes at the airport .")
RIVER = ("A river with many trees .", "Many trees beside a river .")


SETS = {
    "worked": [("There are two planes.", PLANES), ("A river with trees .", RIVER)],
    "copied": [(PLANES[0], PLANES), (RIVER[0], RIVER)],
    "one word": [("planes", PLANES), ("river", RIVER)],
    "one empty": [("", PLANES), ("A river with trees .", RIVER)],
    "gcg": [("two ships", ["Two ships."]), ("a field", ["A green field."])],
}


def build(rows):
    texts = [text for answer, refs in rows for text in (answer, *refs)]
    tokens = iter(tokenise(texts)[0])
    return [Captions(next(tokens), tuple(next(tokens) for _ in refs)) for _, refs in rows]


@pytest.fixture(scope="module")
def tallies():
    """Every set above, with one start of each Java tool."""
    captions = build([row for rows in SETS.values() for row in rows])
    statistics = meteor_statistics(captions)
    pairs = {name: slice(2 * i, 2 * i + 2) for i, name in enumerate(SETS)}
    return {n: caption_tally(captions[s], ["0", "1"], statistics[s]) for n, s in pairs.items()}


def values(tally):
    return {name: tally.value(formula) for name, formula in caption_formulas().items()}


def test_tokens_of_the_protocol():
    text = "Storage-tanks (white) aren't near the farm's road; it's 5.5 km, e.g. A/B\nnew line"
    breakers = ["\r", "\v", "\f", "\u2028", "\x85", "\n", "|||", "\x00"]
    found, name = tokenise([text, "", *(f"two{b}planes" for b in breakers), "a river"])
    assert name.startswith("PTB")
    assert found[0] == (
        "storage-tanks -lrb- white -rrb- are n't near the farm 's road it 's 5.5 km e.g. "
        "a/b new line"
    )
    assert found[1] == ""
    assert found[2:] == ["two planes"] * 8 + ["a river"]


@pytest.mark.parametrize(
    ("name", "want"),
    [
        (
            "worked",
            {
                "bleu_1": 0.778801,
                "bleu_2": 0.710945,
                "bleu_3": 0.665865,
                "bleu_4": 0.582289,
                "rouge_l": 0.782305,
                "cider": 3.635380,
                "meteor": 0.341165,
            },
        ),
        (
            "copied",
            dict.fromkeys(["bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "rouge_l"], 1)
            | {"cider": 7.670929},
        ),
        (
            "one word",
            {"bleu_1": 0.018316, "meteor": 0.134078, "rouge_l": 0.297561, "cider": 0.814718},
        ),
        (
            "one empty",
            {"bleu_1": 0.223130, "meteor": 0.192028, "rouge_l": 0.435714, "cider": 1.750223},
        ),
        ("gcg", {"cider": 3.50654, "meteor": 0.36221}),
    ],
)
def test_worked_examples(tallies, name, want):
    found = values(tallies[name])
    assert {metric: found[metric] for metric in want} == pytest.approx(want, abs=5e-6)


def test_per_image_values(tallies):
    column = tallies["worked"].columns.index
    sums = tallies["worked"].sums
    assert sums[:, column("cider")] == pytest.approx([3.770315, 3.500445], abs=1e-6)
    assert sums[:, column("rouge_l")] == pytest.approx([0.693182, 0.871429], abs=1e-6)
    copied = tallies["copied"].sums[:, tallies["copied"].columns.index("cider")]
    assert copied == pytest.approx([8.716857, 6.625], abs=1e-6)
    gcg = tallies["gcg"].sums[:, tallies["gcg"].columns.index("cider")]
    assert gcg == pytest.approx([5, 2.01309], abs=1e-5)


def test_bleu_counts_by_hand(tallies):
    sums = {n: tallies["worked"].sums[:, i] for i, n in enumerate(tallies["worked"].columns)}
    assert (sums["testlen"].tolist(), sums["reflen"].tolist()) == ([4, 4], [5, 5])
    assert [sums[f"correct_{k}"].tolist() for k in (1, 2, 3, 4)] == [[4, 4], [3, 2], [2, 1], [1, 0]]
    assert [sums[f"guess_{k}"].tolist() for k in (1, 2, 3, 4)] == [[4, 4], [3, 3], [2, 2], [1, 1]]
    penalty = np.exp(1 - 10 / 8)
    found = values(tallies["worked"])
    assert found["bleu_1"] == pytest.approx(penalty, abs=1e-6)
    assert found["bleu_2"] == pytest.approx(penalty * np.sqrt(5 / 6), abs=1e-6)


def test_meteor_of_each_image_alone_does_not_average_to_the_corpus(tallies):
    formula = caption_formulas()["meteor"]
    alone = tallies["worked"].estimator(formula)(np.eye(2))
    assert alone == pytest.approx([0.319191, 0.362214], abs=1e-4)
    gcg = tallies["gcg"].estimator(formula)(np.eye(2))
    assert gcg == pytest.approx([1.0, 0.24427], abs=1e-5)
    assert gcg.mean() == pytest.approx(0.62214, abs=1e-5)


def test_shards_of_captions_are_refused(tallies):
    with pytest.raises(ValueError, match="cannot be merged: caption scores are of the whole"):
        tallies["worked"].merge(tallies["copied"])


def test_sanitising_leaves_one_line():
    assert sanitise(" a\u2028|||b\x0b ") == "a b"


@pytest.mark.integration
def test_scores_equal_pycocoevalcap_with_its_own_java():
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    words = ["a", "the", "red", "planes", "ships", "parked", "beside", "near", "tree(s),", "it's"]
    rng = np.random.default_rng(0)

    def sentence(n):
        return " ".join(rng.choice(words, n)) + " ."

    rows = [
        (sentence(int(rng.integers(0, 9))), [sentence(int(rng.integers(3, 11))) for _ in range(5)])
        for _ in range(25)
    ]
    rows[3] = ("", rows[3][1])
    captions = build(rows)
    names = [f"{i:02d}" for i in range(len(rows))]
    found = values(caption_tally(captions, names, meteor_statistics(captions)))
    tokenizer = PTBTokenizer()
    refs = tokenizer.tokenize({i: [{"caption": r} for r in rs] for i, (_, rs) in enumerate(rows)})
    hyps = tokenizer.tokenize({i: [{"caption": h}] for i, (h, _) in enumerate(rows)})
    bleu = Bleu().compute_score(refs, hyps, verbose=0)[0]
    want = {f"bleu_{n}": bleu[n - 1] for n in (1, 2, 3, 4)}
    want["rouge_l"] = Rouge().compute_score(refs, hyps)[0]
    want["cider"] = Cider().compute_score(refs, hyps)[0]
    want["meteor"] = Meteor().compute_score(refs, hyps)[0]
    assert found == pytest.approx(want, abs=1e-9)


def test_f27_without_java_the_tokeniser_falls_back_and_meteor_says_why(monkeypatch):
    monkeypatch.setenv("PATH", "")
    found, name = tokenise(["Two planes, near the farm's road."])
    assert found == ["two planes near the farm's road"]
    assert name == "lower case without punctuation (not found)"
    with pytest.raises(ToolError, match=r"java: not found.*apt-get install default-jre-headless"):
        meteor_statistics([Captions("a", ("a",))])
    assert java.java_version() == ""


def test_f27_a_broken_java_is_restarted_once_then_named(monkeypatch, tmp_path):
    log = tmp_path / "calls"
    fake = tmp_path / "java"
    fake.write_text(f"#!/bin/sh\necho call >> {log}\necho 'pipe broke' >&2\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ToolError, match="gave 0 lines for 1: pipe broke"):
        java.meteor_lines(["SCORE ||| a ||| a"])
    assert log.read_text().count("call") == 2


@pytest.mark.integration
def test_f45_a_decimal_comma_locale_changes_nothing(monkeypatch):
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Duser.language=de -Duser.country=DE")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    rows = meteor_statistics([Captions("two ships", ("two ships",))])
    assert rows[0, :2].tolist() == [2.0, 2.0]
    assert " version " in java.java_version()  # not the line that says which options were taken


def test_one_image_alone_has_cider_zero():
    tally = caption_tally([Captions("two ships", ("two ships",))], ["a"])
    assert tally.value(caption_formulas(with_meteor=False)["cider"]) == 0.0
    assert "meteor" not in caption_formulas(with_meteor=False)
    assert caption.caption_tally([], []).groups == ()
