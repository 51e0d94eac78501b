import io
import time

import pytest
from rich.console import Console

from geomag.progress import Progress
from geomag_dagster.view import LineView

PLANNED = ["validate aid", "train", "predict aid magcrop", "predict aid plain", "score aid"]
FACTS = "loss 1.25, ce 0.555, bce 0.0541, dice 0.341, point 0.287, alignment 0.523, 1.4 updates/s"


@pytest.fixture
def view(tmp_path) -> LineView:
    """A run in the middle of training, whose log has just been written."""
    log = tmp_path / "train.log"
    log.write_text(Progress("train", 620, 1600, "2 min 10 s", FACTS).line + "\n")
    shown = LineView(PLANNED, {"train": log}, io.StringIO())
    shown.started("validate aid")
    shown.ended("validate aid", "  done    validate aid")
    shown.started("train")
    return shown


@pytest.mark.parametrize("width", [80, 140])
def test_the_long_stage_has_a_bar_its_time_left_and_its_loss_at_any_width(view, width):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(view)
    rows = console.file.getvalue().splitlines()
    assert max(map(len, rows)) <= width
    (row,) = [row for row in rows if "train" in row]
    assert row.split() == ["train", *row.split()[1:]]
    assert "━" in row
    assert "2 min 10 s left" in row
    assert "loss 1.25" in row
    assert any(row.startswith("  1 of 5 stages, 0 s; to come: predict x 2, score") for row in rows)


def test_plain_lines_say_the_same_off_a_terminal(view):
    assert list(view.lines()) == [
        f".. train: 620 of 1,600, 38 %, 2 min 10 s left; {FACTS}",
        ".. 1 of 5 stages, 0 s; to come: predict x 2, score aid",
    ]


def test_the_log_of_an_earlier_run_is_not_taken_for_progress(view, tmp_path):
    (tmp_path / "predict.log").write_text(Progress("predict", 1, 2).line)
    view._logs["predict aid plain"] = tmp_path / "predict.log"
    view.started("predict aid plain")
    assert view.running()[1][2] is not None
    view._started["predict aid plain"] = time.monotonic() + 60  # started after that was written
    assert view.running()[1][2] is None


def test_a_stopped_stage_says_what_it_kept(view, tmp_path):
    assert view.last_words("train") == ""
    with (tmp_path / "train.log").open("a") as log:
        log.write("stopped after update 640 of 1600; run again to resume\nERROR: failed\n")
    assert view.last_words("train") == "after update 640 of 1600; run again to resume"
