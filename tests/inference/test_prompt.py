"""What a record is asked, and what the probe asks about it."""

from geomag.config.schema import PromptConfig
from geomag.data.benchmarks import Split, Task
from geomag.data.prompts import evaluation_prompt
from geomag.data.records import Record
from geomag.geometry import PixelBox
from geomag.inference.prompt import record_prompt

WORDINGS = ("task", "short", "where")


def record(task, text="", benchmark="rrsis_d", **values):
    size = {"width": 80, "height": 60, "image": "a.png"}
    return Record(
        benchmark=benchmark, id="0", split=Split.TEST, task=task, text=text, **size, **values
    )


def test_the_probe_asks_where_only_of_what_is_to_be_found():
    ship = record_prompt(record(Task.REFERRING, "red ship"), PromptConfig())
    assert ship.probe("where").startswith("Where is red ship")
    assert ship.probe("short") == (
        "Mark red ship in this image with a mask. Answer with a single word or short phrase."
    )
    road = record(Task.VQA, "Is a road present?")
    for wording in WORDINGS:
        assert record_prompt(road, PromptConfig()).probe(wording) == evaluation_prompt(road)


def test_the_probe_asks_with_the_class_list_and_the_decimals_of_the_prompt():
    scene = record(Task.SCENE, benchmark="aid", answers=("Port",))
    classes = ("Airport", "Port")
    asked = record_prompt(scene, PromptConfig(scene="classes"), classes)
    box = record(Task.ROC, boxes=(PixelBox(10.0, 10.0, 33.0, 40.0),), answers=("ship",))
    fine = record_prompt(box, PromptConfig(box_decimals=3))
    for wording in WORDINGS:
        assert asked.probe(wording) == (
            "Which scene is this: Airport, Port? Answer with one of these names only."
        )
        assert "[0.125, 0.167, 0.413, 0.667]" in fine.probe(wording)
