"""CIDEr-D on arrays against pycocoevalcap's dictionaries."""

import numpy as np
import pytest
from pycocoevalcap.cider.cider import Cider

from geomag.metrics.cider import cider_d


@pytest.mark.parametrize("seed", range(20))
def test_cider_equals_pycocoevalcap(seed):
    rng = np.random.default_rng(seed)
    words = [f"w{i}" for i in range(int(rng.integers(2, 12)))]

    def sentence(least):
        return " ".join(rng.choice(words, int(rng.integers(least, 14))))

    n_images = int(rng.integers(1, 9))
    references = [[sentence(1) for _ in range(int(rng.integers(1, 6)))] for _ in range(n_images)]
    answers = [sentence(0) for _ in range(n_images)]
    answers[0] = references[0][0]
    pairs = dict(enumerate(references)), {i: [text] for i, text in enumerate(answers)}
    want = Cider().compute_score(*pairs)[1]
    assert cider_d(answers, references) == pytest.approx(want, abs=1e-12)


def test_sentences_without_words_score_nothing():
    assert cider_d(["", "a"], [["a b"], [""]]).tolist() == [0.0, 0.0]
    assert cider_d([], []).tolist() == []
