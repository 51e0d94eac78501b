import io
from contextvars import Context

import pytest
from rich.console import Console

from geomag import progress
from geomag.progress import Bars, Lines, Progress, latest, show, track


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves when it is told to, in seconds."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def shown_on():
    """Show progress on a display until the test ends."""
    before = progress._DISPLAY.get()
    yield show
    progress._DISPLAY.set(before)


def work(clock, *, parts: int, seconds_each: float, done: int = 0) -> None:
    with track("crops aid", parts, done=done) as tracked:
        for _ in range(parts - done):
            clock[0] += seconds_each
            tracked.advance(facts="loss 0.5")


def test_nothing_is_shown_to_a_program_that_uses_the_library(clock, capsys):
    Context().run(work, clock, parts=10, seconds_each=5)  # whatever ran before in this process
    assert capsys.readouterr() == ("", "")


def test_work_of_two_seconds_is_not_spoken_of(clock, shown_on):
    out = io.StringIO()
    shown_on(Lines(out))
    work(clock, parts=10, seconds_each=0.19)
    assert out.getvalue() == ""


def test_plain_lines_come_every_two_seconds_with_the_time_left_and_one_at_the_end(clock, shown_on):
    out = io.StringIO()
    shown_on(Lines(out))
    work(clock, parts=8, seconds_each=1)
    assert out.getvalue().splitlines() == [
        "crops aid: 2 of 8, 25 %, 6 s left; loss 0.5",
        "crops aid: 4 of 8, 50 %, 4 s left; loss 0.5",
        "crops aid: 6 of 8, 75 %, 2 s left; loss 0.5",
        "crops aid: 8 of 8, 100 %; loss 0.5",
        "crops aid: 8 in 8 s; loss 0.5",
    ]


def test_the_time_left_of_resumed_work_is_reckoned_from_what_this_run_did(clock, shown_on):
    out = io.StringIO()
    shown_on(Lines(out))
    work(clock, parts=1000, seconds_each=1, done=990)
    assert out.getvalue().splitlines()[0] == "crops aid: 992 of 1,000, 99 %, 8 s left; loss 0.5"


def test_work_that_fails_says_how_far_it_came(clock, shown_on):
    out = io.StringIO()
    shown_on(Lines(out))

    def fail() -> None:
        with track("crops aid", 10) as tracked:
            clock[0] += 60
            tracked.to(4)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert out.getvalue().splitlines()[-1] == "crops aid: 4 of 10 in 1 min 0 s"


@pytest.mark.parametrize("width", [80, 140])
def test_a_bar_fits_its_terminal_and_names_the_loss_first(clock, shown_on, width):
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, color_system=None)
    shown_on(Bars(console))
    with track("train", 1600) as tracked:
        clock[0] += 100
        tracked.to(400, "loss 1.25, " + ", ".join(f"{name} 0.5" for name in "abcdefghijklmnopqrst"))
        drawn = out.getvalue().splitlines()
    (row,) = [line for line in drawn if "train" in line]
    row = row.rsplit("\r", maxsplit=1)[-1].removeprefix("\x1b[2K")  # "erase this line"
    assert len(row.rstrip()) <= width
    assert "400/1600 5 min 0 s left loss 1.25" in row


@pytest.mark.parametrize(
    "text",
    ["", "adapter 1a2b, decoder 3c4d", "validate: done", "12 of 13", "a: 1 of b, 3 %", "a: 1 of 2"],
)
def test_a_line_that_tells_no_progress_is_none(text):
    assert Progress.parse(text) is None


def test_the_latest_progress_of_a_log_is_its_last_line_that_tells_one(tmp_path):
    log = tmp_path / "train.log"
    assert latest(log) is None
    older, newer = (Progress("train", done, 800, "9 s").line for done in (20, 40))
    log.write_text(f"{older}\n{newer}\nadapter 1a2b\n" + "x" * 100)
    assert latest(log) == Progress("train", 40, 800, "9 s")
    log.write_text(f"{newer}\n" + "x" * 5000)
    assert latest(log) is None


def test_what_an_earlier_run_has_done_is_said(clock, shown_on, capsys):
    shown_on(Lines())
    work(clock, parts=10, seconds_each=0.01, done=4)
    assert capsys.readouterr().err == "crops aid: goes on after 4 of 10\n"
