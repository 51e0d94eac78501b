"""`geomag rehearse`: checkpoints in their published formats, every verb of the line, figures."""

import contextlib
import json

import pytest
import torch
from typer.testing import CliRunner

from geomag.cli.main import app
from geomag.config import load_profile, override
from geomag.errors import ConfigError, OutputError, ToolError
from geomag.io import read_json, read_jsonl
from geomag.model.tokenizer import add_new_tokens
from geomag.model.weights import load_vlm
from geomag.rehearse.line import run_steps, steps
from geomag.rehearse.project import parts_of, rehearsal_profile
from geomag.rehearse.published import VLMS, tiny
from geomag.rehearse.rehearsal import FIGURES, Asked, rehearse
from geomag.rehearse.room import Room, room_for, take_folder
from geomag.rehearse.watched import Figures, run_watched
from geomag.rehearse.write import write_vlm

pytestmark = pytest.mark.integration
BENCHMARKS = ("rrsis_d", "rsvqa_lr", "ucm_captions")
"""One of each granularity."""


def here(root, arguments):
    """A verb in this process, which spares the imports of some thirty."""
    with contextlib.chdir(root), pytest.MonkeyPatch.context() as patch:
        patch.delenv("GEOMAG_PROFILE", raising=False)
        return run_watched(arguments)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Folder of a rehearsal of `small` at tiny widths, what it printed, and its figures."""
    out = tmp_path_factory.mktemp("rehearsal")
    said = []
    asked = Asked(records=1, benchmarks=BENCHMARKS, is_tiny=True)
    figures = rehearse(load_profile("small"), out, asked, log=said.append, run=here)
    return out, said, figures


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_every_record_is_answered_in_both_ways_with_the_sentence_and_a_mask(done, benchmark):
    out, _, _ = done
    for arm in ("magcrop", "plain"):
        (row,) = read_jsonl(out / f"artifacts/predictions/{benchmark}/{arm}.jsonl")
        assert row["text"].endswith("[SEG]")
        assert row["n_masks"] == 1
        assert row["phrases"] == ["ship"]
        if benchmark == "rrsis_d":
            assert bool(row.get("crop_boxes")) is (arm == "magcrop")


def test_a_llava_1_5_of_the_same_making_says_the_sentence_too(tmp_path):
    profile = load_profile("paper")
    write_vlm(tmp_path / "vlm", tiny(VLMS["llava-1.5-7b-hf"]()), profile)
    vlm = load_vlm(tmp_path / "vlm", dtype=profile.vlm.dtype)
    add_new_tokens(vlm.tokenizer, n_seg=3, rows=len(vlm.llava.get_input_embeddings().weight))
    visual = torch.randn(16, vlm.width, dtype=torch.bfloat16)
    packed = vlm.pack([vlm.prompt_ids("Mark the road.")], [visual])
    (said,) = vlm.generate(packed, max_new_tokens=20).tokens
    assert vlm.decode(said) == "a large red<p> ship</p>[SEG0][SEG1][SEG2]"
    assert len(said) < 20  # it ends by itself


def test_the_line_ends_with_scores_and_a_report(done):
    out, _, _ = done
    for benchmark in BENCHMARKS:
        assert read_json(out / f"artifacts/scores/{benchmark}.json")["n_records"] == 1
    assert (out / "artifacts/report/index.html").is_file()


def test_the_figures_are_those_of_every_stage_and_of_the_full_line(done):
    out, said, figures = done
    assert read_json(out / FIGURES) == json.loads(json.dumps(figures))
    stages = {row["stage"]: row for row in figures["stages"]}
    assert list(stages)[:2] == ["doctor", "data validate rrsis_d"]
    train = stages["train model"]
    assert train["parts"]["train"]["calls"] >= 3
    assert train["records"] == 6
    answer = stages["predict rrsis_d plain"]
    write = answer["parts"]["write"]
    assert write["positions"] == write["calls"] == 9  # the tenth token ends the sentence
    assert answer["parts"]["encode"]["calls"] >= 1
    projected = {row["stage"]: row for row in figures["projected"]}
    profile = load_profile(figures["profile"])
    assert projected["train"]["records"] == profile.train.steps * profile.train.batch
    assert projected["predict rrsis_d magcrop"]["records"] == 3_481
    assert projected["predict refsegrs magcrop"]["records"] == 1_817  # as RRSIS-D takes
    assert projected["crops rrsis_d"]["records"] == 3_481 + 12_181
    total = sum(row["hours"] for row in figures["projected"])
    assert figures["projected_hours"] == pytest.approx(total)
    assert "h projected" in said[-1]


def test_a_second_rehearsal_keeps_the_checkpoints_and_makes_all_else_again(done, tmp_path):
    out, _, figures = done
    facts = read_json(out / "REHEARSAL.json")
    weights = sorted((out / "models").rglob("*.safetensors"))
    before = [file.stat().st_mtime_ns for file in weights]
    shadow = tmp_path / "again"
    shadow.mkdir()
    for name in ("models", "artifacts"):
        (shadow / name).mkdir()
    (shadow / "REHEARSAL.json").write_text(json.dumps(facts))
    assert take_folder(shadow, facts)
    assert (shadow / "models").is_dir()
    assert not (shadow / "artifacts").exists()
    assert not take_folder(shadow, {**facts, "layers": 7})
    assert not (shadow / "models").exists()
    assert [file.stat().st_mtime_ns for file in weights] == before
    assert figures["layers"] == facts["layers"]


def test_a_folder_with_something_else_in_it_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(OutputError, match="no rehearsal of ours"):
        take_folder(tmp_path, {})
    assert (tmp_path / "mine.txt").read_text() == "kept"


def test_too_little_memory_or_disk_is_refused_with_what_to_change(tmp_path):
    with pytest.raises(ConfigError, match=r"19\.5 GB, 8\.0 GB are free.*--layers N"):
        Room(disk=1, memory=19_500_000_000).check(tmp_path, free_memory=8_000_000_000)
    with pytest.raises(ConfigError, match=r"writes 9,?000.*--out"):
        Room(disk=9_000 * 10**12, memory=1).check(tmp_path / "new" / "er", free_memory=2)


def test_the_published_sizes_need_what_they_are_known_to():
    parts = parts_of(load_profile("paper"))
    room = room_for(parts.vlm, parts.sam2)
    assert 17.3e9 < room.disk < 17.7e9  # 14.13 GB of LLaVA, 0.9 of SAM2, 0.44 of BERT, 2 of stages
    assert 19e9 < room.memory < 20e9
    small = parts_of(load_profile("small"))
    assert room_for(small.vlm, small.sam2).memory < 12e9


def test_a_checkpoint_of_unknown_sizes_is_refused():
    profile = override(load_profile("paper"), vlm={"path": "models/llava-v9"})
    with pytest.raises(ConfigError, match=r"vlm\.path.*llava-1\.5-7b-hf"):
        parts_of(profile)


def test_a_verb_that_fails_ends_it_by_name(tmp_path):
    profile = rehearsal_profile(
        load_profile("paper"), parts_of(load_profile("paper"), is_tiny=True), records=1
    )
    assert next(steps(profile)).arguments == ("doctor",)
    with pytest.raises(ToolError, match="geomag doctor: ended with exit code 2"):
        list(
            run_steps(
                tmp_path, profile, records=1, run=lambda *_: (2, Figures()), log=lambda _: None
            )
        )


def test_the_command_says_what_it_needs_before_it_writes(tmp_path):
    (tmp_path / "x").write_text("")
    asked = ["rehearse", "--tiny", "--out", str(tmp_path)]
    shown = CliRunner().invoke(app, asked)
    assert isinstance(shown.exception, OutputError)
    assert "GB of disk" in shown.output
