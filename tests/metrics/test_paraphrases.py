"""The cut-down paraphrase table: which pairs stay, and that METEOR counts the same with it."""

import gzip
import re

import numpy as np
import pytest

from geomag.metrics import java, paraphrases
from geomag.metrics.paraphrases import filter_table, fragments

PAIRS = [
    ("a lot of", "many"),
    ("many", "a lot of"),
    ("u.s.", "america"),
    ("harbours", "ports"),
    ("caf\u00e9", "bar"),
    ("\u4e2d", "many"),
    ("many", "numerous"),
    ("extraordinarily", "manyfold"),
]


def table_of(folder, pairs, end="\n"):
    path = folder / "table.gz"
    lines = [line for k, (a, b) in enumerate(pairs) for line in (f"0.{k}", a, b)]
    path.write_bytes(gzip.compress(("\n".join(lines) + end).encode()))
    return path


def kept(folder, texts, **options):
    out = folder / "out.gz"
    n = filter_table(table_of(folder, PAIRS, **options), out, texts)
    lines = gzip.decompress(out.read_bytes()).decode().splitlines()
    assert len(lines) == 3 * n
    return [(a, b) for a, b in zip(lines[1::3], lines[2::3], strict=True)]


def test_a_pair_stays_when_the_ends_of_its_phrases_occur(tmp_path):
    texts = ["Many planes, a-of them", "the U.S. and America", "caf bar"]
    assert kept(tmp_path, texts) == [PAIRS[i] for i in (0, 1, 2, 4, 5)]
    assert kept(tmp_path, ["numerous many"]) == [PAIRS[i] for i in (5, 6)]
    assert kept(tmp_path, ["extraordinarily manyfold"]) == [PAIRS[7]]
    assert kept(tmp_path, []) == []


def test_blocks_and_a_missing_last_line_end_change_nothing(tmp_path, monkeypatch):
    texts = ["many a lot of numerous"]
    whole = kept(tmp_path, texts)
    for size in (1, 7, 50):
        monkeypatch.setattr(paraphrases, "BLOCK_BYTES", size)
        assert kept(tmp_path, texts) == whole
        assert kept(tmp_path, ["extraordinarily manyfold"], end="") == [PAIRS[7]]


def test_a_letter_that_lower_case_makes_ascii_stands_alone_too():
    assert fragments(["5\u212a"]) == {b"5k", b"5", b"k"}


@pytest.fixture(scope="module")
def thousand():
    """Captions that the table has much to say about: each reference a paraphrase of its answer."""
    with gzip.open(java._jar(java._PARAPHRASES), "rt", encoding="utf-8") as table:
        head = [next(table).rstrip("\n") for _ in range(3 * 200_000)]
    pairs = [
        p for p in zip(head[1::3], head[2::3], strict=True) if re.fullmatch(r"[a-z ,'-]+", p[0])
    ]
    rng = np.random.default_rng(5)
    pairs = [pairs[int(k)] for k in rng.integers(0, len(pairs), 60)]
    words = ["a", "ships", "ship", "parked", "parking", "near", "planes", "it 's"]

    def caption():
        chosen = [pairs[int(k)] for k in rng.integers(0, len(pairs), 2)]
        filler = [str(w) for w in rng.choice(words, 4)]
        answer, reference = (
            " ".join(f"{pair[side]} {word}" for pair, word in zip(chosen, filler, strict=False))
            for side in (0, 1)
        )
        return f"SCORE ||| {reference} {filler[2]} ||| {answer} {filler[3]}"

    return [caption() for _ in range(1000)]


@pytest.mark.integration
def test_meteor_counts_the_same_on_a_thousand_captions(thousand):
    jar = java._jar(java._METEOR_JAR)
    whole = ["-Xmx2G", "-jar", str(jar), "-", "-", "-stdio", "-l", "en", "-norm"]
    want = java._run(whole, thousand, cwd=jar.parent)
    assert java.meteor_lines(thousand) == want
    matched = np.array([[float(v) for v in line.split()] for line in want])
    assert (matched[:, 16:18] > 0).any(axis=1).mean() > 0.5  # paraphrase matches are exercised
