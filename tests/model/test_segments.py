"""[SEG] groups in tokens, labels and texts."""

import itertools

import torch
from hypothesis import given
from hypothesis import strategies as st

from geomag.data.grounded import parse_grounding
from geomag.model.segments import find_groups, label_groups, with_seg_marks

SEG = [90, 91, 92]


def test_a_cut_group_is_dropped_and_counted():
    found = find_groups([1, 90, 91, 92, 2, 90, 91, 92, 90, 91], SEG)
    assert found.starts == (1, 5)
    assert found.n_incomplete == 1


def test_labels_and_tokens_agree_on_where_groups_stand():
    labels = torch.tensor([[-100, 7, 90, 91, 92, 90, 91, 92], [90, 91, -100, 90, 91, 92, 5, 90]])
    assert label_groups(labels, SEG).tolist() == [[0, 2], [0, 5], [1, 3]]
    for row in range(2):
        starts = [c for r, c in label_groups(labels, SEG).tolist() if r == row]
        assert tuple(starts) == find_groups(labels[row].tolist(), SEG).starts


@given(st.lists(st.sampled_from([1, 90, 91, 92]), max_size=30))
def test_groups_never_overlap_and_are_whole(tokens):
    starts = find_groups(tokens, SEG).starts
    assert all(tokens[s : s + 3] == SEG for s in starts)
    assert all(b - a >= 3 for a, b in itertools.pairwise(starts))


def test_text_shows_one_mark_per_group_and_no_stray_token():
    names = ["[SEG0]", "[SEG1]"]
    text = "<p> two ships </p> [SEG0][SEG1] and <p> a dam </p> [SEG0]"
    shown = with_seg_marks(text, names)
    assert shown == "<p> two ships </p> [SEG] and <p> a dam </p>"
    assert parse_grounding(shown).phrases == ("two ships",)
