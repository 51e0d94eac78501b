"""The one answer of a scene asked window by window, with a stand-in that knows bright pixels."""

from dataclasses import replace

import pytest

from geomag.ask.answer import ask_image
from geomag.ask.options import AskOptions
from geomag.ask.scene_answer import SceneRule, scene_rule, scene_text
from geomag.data.benchmarks import Task
from geomag.errors import GeoMagError
from geomag.inference.output import PipelineOutput
from geomag.inference.prompt import Prompt
from tests.ask.rasters import BrightPixels, grey, tiny_header_tif, write_tif

SMALL = {"tile_px": 32, "overlap_px": 8}


class BrightWords(BrightPixels):
    """Says of a picture whether it has a bright pixel, or how many blocks of 16 it has."""

    def __init__(self, task=Task.VQA):
        super().__init__()
        self.task = task

    def fit(self, prompt):
        return replace(prompt, task=self.task, given=prompt.text)

    def ask(self, image, prompt, *, arm="magcrop"):
        self.asked.append(image.copy())
        bright = int((image[..., 0] > 200).sum())
        counted = prompt.given.startswith("How many")
        return PipelineOutput(str(round(bright / 16)) if counted else "yes" if bright else "no")


def ask(path, out, words, model):
    return ask_image(model, path, words, out, AskOptions(**SMALL), log=lambda _: None)


@pytest.fixture
def scene(tmp_path):
    """One of 100 x 100 with two bright squares of 4 x 4, in windows of their own."""
    return write_tif(tmp_path / "a.tif", grey(100, 100, (4, 4, 8, 8), (70, 70, 74, 74)))


def test_one_window_that_says_yes_is_a_yes_of_the_scene(scene, tmp_path):
    answer = ask(scene, tmp_path / "out", "Is there a ship?", BrightWords())
    assert answer["texts"]["no"] > answer["texts"]["yes"]
    assert (answer["text"], answer["text_rule"]) == ("yes", "any")
    assert any("windows say yes" in note for note in answer["notes"])


def test_nothing_anywhere_is_a_no(tmp_path):
    path = write_tif(tmp_path / "a.tif", grey(100, 100))
    assert ask(path, tmp_path / "out", "Is a ship present?", BrightWords())["text"] == "no"


def test_numbers_of_windows_that_do_not_overlap_are_added(scene, tmp_path):
    answer = ask(scene, tmp_path / "out", "How many ships are there?", BrightWords())
    assert (answer["text"], answer["text_rule"]) == ("2", "sum")
    assert answer["windows"]["overlap_px"] == 0


@pytest.mark.parametrize(
    ("words", "task"),
    [
        ("Are there more ships than cars?", Task.VQA),
        ("Is it a rural or an urban area?", Task.VQA),
        ("Describe the image.", Task.CAPTION),
        ("Which scene is this?", Task.SCENE),
        ("What is in [1, 2, 3, 4]?", Task.ROC),
    ],
)
def test_a_question_about_the_whole_is_asked_once_about_it(scene, tmp_path, words, task):
    model = BrightWords(task)
    answer = ask(scene, tmp_path / "out", words, model)
    assert [image.shape for image in model.asked] == [(100, 100, 3)]
    assert answer["windows"] == "whole"


def test_a_question_about_the_whole_of_too_large_a_scene_is_refused(tmp_path):
    path = tiny_header_tif(tmp_path / "large.tif", 9000, 9000)
    with pytest.raises(GeoMagError, match=r"81,000,000 pixels.*what is there, how many, where"):
        ask(path, tmp_path / "out", "Describe the image.", BrightWords(Task.CAPTION))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("task", [None, Task.REFERRING, Task.GCG])
def test_masks_are_joined_window_by_window(task):
    assert scene_rule(Prompt("the more the better", "", task=task)) is SceneRule.MASKS


def test_answers_that_no_rule_can_add_are_counted_and_said():
    text, note = scene_text(SceneRule.ANY, {"a pier": 3, "yes": 2})
    assert text == "a pier"
    assert "most frequent" in note
