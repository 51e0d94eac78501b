"""The base stage: lessons that are true, labels that fit masks, phases that learn and resume."""

import numpy as np
import pytest
import torch

from geomag.config import load_profile, override
from geomag.errors import ConfigError, ResumeError
from geomag.sample.draw.scene import draw_objects
from geomag.sample.pretrain.base import make_base
from geomag.sample.pretrain.dense import (
    CATEGORIES,
    COLOURS,
    code_reader,
    dense_labels,
    place_code,
    read_code,
)
from geomag.sample.pretrain.reading import Gather, Reading
from geomag.sample.pretrain.sam import _point_inside
from geomag.sample.pretrain.scenes import draw_base_scene
from geomag.sample.pretrain.vlm import Lessons, Questions, Recall
from geomag.seeds import generator
from tests.model.tiny import tiny_vlm


@pytest.fixture(scope="module")
def scenes():
    return [draw_base_scene(3, i, vlm_px=56, encoder_px=64) for i in range(24)]


def test_scenes_are_a_function_of_seed_and_number(scenes):
    again = draw_base_scene(3, 5, vlm_px=56, encoder_px=64)
    assert np.array_equal(again.whole, scenes[5].whole)
    assert again.lessons == scenes[5].lessons
    assert not np.array_equal(draw_base_scene(4, 5, vlm_px=56, encoder_px=64).whole, again.whole)


def test_where_lessons_answer_with_the_place_of_the_object():
    checked = 0
    for index in range(12):
        drawn = draw_base_scene(3, index, vlm_px=56, encoder_px=64)
        for lesson in drawn.lessons:
            if not lesson.prompt.startswith("Where is"):
                continue
            mask = drawn.segmentation.masks[lesson.targets[0]]
            if not mask.any():
                continue
            rows, columns = np.nonzero(mask)
            third = (rows.min() + rows.max() + 1) / 64, (columns.min() + columns.max() + 1) / 64
            if min(abs(v - t) for v in third for t in (1 / 3, 2 / 3)) < 0.08:
                continue  # near a border of the nine fields
            vertical = ("upper", "top", "lower", "bottom")
            words = lesson.answer.split()
            assert (third[0] < 1 / 3) == bool({"upper", "top"} & set(words)), lesson
            assert (third[0] > 2 / 3) == bool({"lower", "bottom"} & set(words)), lesson
            assert (third[1] < 1 / 3) == ("left" in words), lesson
            assert set(words) <= {*vertical, "left", "right", "center"}
            checked += 1
    assert checked > 5


def test_dense_labels_agree_with_the_objects():
    scene = draw_objects(generator("dense"))
    labels = dense_labels(scene, 64)
    for thing in scene.objects:
        cells = thing.mask[3::7, 3::7]  # 448 / 64 = 7: each cell's centre
        assert set(labels.category[cells]) <= {CATEGORIES.index(thing.category)}
        if thing.colour:
            assert set(labels.colour[cells]) <= {COLOURS.index(thing.colour)}
    covered = np.logical_or.reduce([t.mask for t in scene.objects])[3::7, 3::7]
    assert np.array_equal(labels.category >= 0, covered)


def test_place_codes_are_alike_only_where_places_are_near():
    u = torch.linspace(0, 1, 21)
    x, y = torch.meshgrid(u, u, indexing="xy")
    codes = place_code(x.flatten(), y.flatten())
    here = place_code(torch.tensor(0.3), torch.tensor(0.7))
    best = int((codes @ here).argmax())
    assert (x.flatten()[best].item(), y.flatten()[best].item()) == pytest.approx((0.3, 0.7))
    reader = code_reader(32)
    assert torch.allclose(reader @ reader.T, torch.eye(16), atol=1e-5)
    state = here @ reader  # length sqrt(8): scaled to sqrt(32) by the reading
    assert torch.allclose(read_code(state, reader) / 2, here, atol=1e-4)


def test_points_lie_inside_their_mask(scenes):
    rng = np.random.default_rng(0)
    for scene in scenes:
        for mask in scene.segmentation.masks:
            if mask.any():
                x, y = _point_inside(mask, rng)
                assert mask[int(y) // 2, int(x) // 2]


def test_gather_is_low_for_a_row_that_points_at_its_names(scenes):
    vlm = tiny_vlm()
    gather = Gather(vlm)
    lesson = next(le for s in scenes for le in s.lessons if le.names)
    table = vlm.llava.get_input_embeddings().weight
    name = (*CATEGORIES, *COLOURS)[lesson.names[0]]
    towards = table[torch.tensor(vlm.ids(name))].mean(0)[None]
    one = type(lesson)(lesson.prompt, lesson.answer, names=lesson.names[:1])
    assert gather(towards, [one]) < gather(-towards, [one])


def test_questions_have_short_answers_and_recall_has_long_ones_again(scenes):
    vlm = tiny_vlm()
    questions = Questions(vlm, scenes, alignment=1.0, seed=1)
    recall = Recall(vlm, scenes, alignment=1.0, seed=1, gather=questions.gather)
    longest = {}
    for name, job, most_asked in (("questions", questions, 6), ("recall", recall, 3)):
        lessons = [row.lessons for update in range(8) for row in job.batch(update, 6)]
        asked = [sum(x.answer in ("yes", "no") for x in row) for row in lessons]
        assert max(asked) == most_asked
        assert max(len(row) for row in lessons) <= most_asked + 3
        longest[name] = max(len(x.answer.split()) for row in lessons for x in row)
    assert longest["questions"] <= 6
    assert longest["recall"] > 6
    assert recall.gather is questions.gather


@pytest.mark.parametrize("job", ["reading", "lessons", "questions"])
def test_a_few_updates_lower_the_loss(scenes, job):
    vlm = tiny_vlm()
    made = {
        "reading": lambda: Reading(vlm, scenes, seed=1),
        "lessons": lambda: Lessons(vlm, scenes, alignment=1.0, seed=1),
        "questions": lambda: Questions(vlm, scenes, alignment=1.0, seed=1),
    }[job]()
    parameters = made.parameters()
    optimizer = torch.optim.AdamW(parameters.values(), lr=3e-3)
    losses = []
    for _ in range(12):
        batch = made.batch(0, 6)
        loss = made.losses(batch, batch)["total"]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


CODE = {"code": "c0de", "commit": "1111aaaa"}


def smallest(**base):
    """Base models of a few thousand weights, three updates a phase."""
    steps = ("steps", "look_steps", "read_steps", "question_steps", "recall_steps")
    settings = dict.fromkeys((*steps, "sam_look_steps", "sam_steps"), 3)
    vlm = {"image_px": 56, "vision_width": 32, "text_width": 32}
    return override(
        load_profile("sample"),
        vlm={"path": "", "vision_layers": 2, "text_layers": 2, **vlm},
        encoder={"path": "", "image_px": 64, "neck_width": 32},
        base={"n_scenes": 12, "batch": 4, **settings, **base},
    )


@pytest.mark.integration
def test_the_base_stage_gives_the_same_bytes_and_leaves_no_state(tmp_path):
    work = tmp_path / "work"
    for name in "ab":
        rows = make_base(smallest(), tmp_path / name, work, code=CODE, log=print)
        assert {row["job"] for row in rows} == {"vlm", "sam"}
        assert [row["step"] for row in rows if row["phase"] == "points"] == [1, 2, 3]
        assert list(work.iterdir()) == []
    digests = [(tmp_path / n / "complete.json").read_text() for n in "ab"]
    assert digests[0] == digests[1]


@pytest.mark.integration
def test_what_other_code_has_trained_is_refused_and_the_same_code_goes_on_from_it(tmp_path):
    work, no_folder = tmp_path / "work", tmp_path / "file"
    no_folder.write_text("the base cannot be written below this")
    with pytest.raises(FileExistsError):
        make_base(smallest(), no_folder / "base", work, code=CODE, log=print)
    edited = {"code": "ed17", "commit": "2222bbbb"}
    with pytest.raises(ResumeError, match=f"1111aaaa.*2222bbbb.*or remove {work} to start over"):
        make_base(smallest(), tmp_path / "edited", work, code=edited, log=print)
    assert not (tmp_path / "edited").exists()
    last = work / "vlm" / "weights.pt"
    before = {path: path.stat().st_mtime_ns for path in work.rglob("update-*/*")}
    last.unlink()
    with pytest.raises(FileExistsError):
        make_base(smallest(), no_folder / "base", work, code=CODE, log=print)
    assert last.is_file()
    assert {path: path.stat().st_mtime_ns for path in work.rglob("update-*/*")} == before


def test_a_pinned_model_beside_one_to_be_trained_is_refused(tmp_path):
    profile = override(load_profile("sample"), encoder={"path": ""})
    with pytest.raises(ConfigError, match=r"encoder\.path: empty.*pin both, or train both"):
        make_base(profile, tmp_path / "out", tmp_path / "work", code=CODE, log=print)
