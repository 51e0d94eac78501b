"""Framing: which wording a prompt gets, which stay, and what is said where it is not sure."""

import pytest

from geomag.config.schema import PromptConfig
from geomag.data.benchmarks import Task
from geomag.data.prompts import EVALUATION, TRAINING, short_scene
from geomag.inference.framing import frame_prompt, wording_in
from geomag.inference.phrases import box_in, classes_in, phrase_of
from geomag.inference.prompt import read_prompt
from geomag.magcrop.granularity import TASK_CONFIDENCE, TaskGuess
from geomag.train.granularity.wordings import REFERRING, ROC

SAMPLE = PromptConfig(scene="short", probe="where", wordings="evaluation")
PAPER = PromptConfig(scene="classes", probe="task", wordings="all")
X = {
    Task.REFERRING: "the red ship on the left",
    Task.VQA: "Is a ship present?",
    Task.ROC: "[0.17, 0.30, 0.86, 0.84]",
    Task.SCENE: "beach, port, river",
    Task.GCG: "",
    Task.CAPTION: "",
}


def framed(words, task=None, confidence=1.0, config=SAMPLE):
    def classify(_):
        assert task is not None, "the wording alone must say the task"
        return TaskGuess(task, confidence)

    return frame_prompt(read_prompt(words), classify, config)


@pytest.mark.parametrize("task", list(Task))
def test_every_wording_of_training_is_known_with_what_fills_it(task):
    for wording in TRAINING[task]:
        assert wording_in(wording.format(x=X[task])) == (task, X[task])
    assert wording_in(short_scene("aid")) == (Task.SCENE, "AID")


@pytest.mark.parametrize("task", list(Task))
def test_a_prompt_that_has_the_wording_is_left_alone(task):
    for wording in TRAINING[task]:
        text = wording.format(x=X[task])
        prompt = framed(text, config=PAPER)
        assert (prompt.text, prompt.task, prompt.task_confidence) == (text, task, 1.0)
        assert prompt.notes == ()


def test_where_training_used_one_wording_the_others_are_brought_into_it():
    for task in (Task.REFERRING, Task.VQA, Task.ROC):
        wanted = EVALUATION[task].format(x=X[task])
        for wording in TRAINING[task]:
            assert framed(wording.format(x=X[task])).text == wanted


@pytest.mark.parametrize(
    ("words", "task", "text"),
    [
        ("Is a ship present?", Task.VQA, EVALUATION[Task.VQA].format(x="Is a ship present?")),
        (
            "Please segment the red ship.",
            Task.REFERRING,
            "Mark the red ship in this image with a mask.",
        ),
        ("the red ship", Task.REFERRING, "Mark the red ship in this image with a mask."),
        (
            "What is in [0.1, .25, 0.5, 0.75]?",
            Task.ROC,
            "What is the object in [0.10, 0.25, 0.50, 0.75]? Answer in a few words.",
        ),
        ("Describe the picture.", Task.CAPTION, EVALUATION[Task.CAPTION]),
        ("Caption it, a mask for each phrase.", Task.GCG, EVALUATION[Task.GCG]),
        ("Which AID scene is it?", Task.SCENE, "Name the AID scene class of this image."),
    ],
)
def test_words_without_a_wording_get_that_of_their_task(words, task, text):
    prompt = framed(words, task, 0.95)
    assert prompt.text == text
    assert (prompt.given, prompt.task, prompt.task_confidence) == (words, task, 0.95)
    # words that have no place in the wording are not dropped in silence
    noted = [f"The model was asked in the words it was trained with: {text}"]
    assert list(prompt.notes) == (noted if task in (Task.CAPTION, Task.GCG) else [])


def test_a_mask_is_called_by_its_phrase_and_probed_by_it():
    prompt = framed("Outline the red ship.", Task.REFERRING, 0.9)
    assert prompt.subject == "the red ship"
    assert prompt.probe("where") == "Where is the red ship?"
    question = framed("Is a ship present?", Task.VQA, 0.9)
    assert question.probe("where") == question.text


def test_where_the_task_is_not_clear_the_words_stay_and_a_note_says_so():
    prompt = framed("ships and so on", Task.CAPTION, TASK_CONFIDENCE - 0.01)
    assert (prompt.text, prompt.task) == ("ships and so on", None)
    assert prompt.notes == (
        "The task of the prompt is not clear (perhaps caption, 0.79): it was asked as it is.",
    )


@pytest.mark.parametrize(
    ("words", "task", "lacks"),
    [
        ("What is at [133, 237, 684, 672]?", Task.ROC, "no box"),
        ("Is it drawn?", Task.REFERRING, "no phrase"),
        ("What kind of place is it?", Task.SCENE, "neither a scene set nor class names"),
    ],
)
def test_words_that_lack_what_the_wording_needs_stay_and_a_note_says_so(words, task, lacks):
    prompt = framed(words, task, 0.99, PAPER)
    assert (prompt.text, prompt.task) == (words, None)
    (note,) = prompt.notes
    assert lacks in note


def test_a_scene_is_asked_with_the_classes_of_the_set_or_those_that_are_listed():
    by_name = framed("Which AID scene is it?", Task.SCENE, 0.9, PAPER)
    assert by_name.text.startswith("Which scene is this: airport, bare land, baseball field,")
    listed = framed("Choose the best label: beach, port, or river.", Task.SCENE, 0.9, PAPER)
    assert listed.text == EVALUATION[Task.SCENE].format(x="beach, port, river")


def test_phrases_are_found_in_most_wordings_of_others():
    phrase = "the small white ship on the left"
    exact = [phrase_of(wording.format(phrase=phrase)) == phrase for wording in REFERRING]
    assert sum(exact) >= 0.9 * len(exact)


def test_boxes_are_found_in_every_wording_of_others():
    box = "[0.10, 0.20, 0.30, 0.40]"
    assert {box_in(wording.format(box=box)) for wording in ROC} == {box}
    assert box_in("[0.3, 0.2, 0.1, 0.4]") is None
    assert classes_in("What is it?") is None
