"""Own data in RRSIS-D's and RSVQA's layout, through the readers, validation, predict and score."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from geomag.cli.predict import predict
from geomag.config import load_profile, override
from geomag.data.benchmarks.registry import read_benchmark
from geomag.data.intake.own.write import write_own
from geomag.data.validate.run import validate
from geomag.errors import AnnotationError, ConfigError
from geomag.geometry import PixelBox, decode_mask
from geomag.io import read_json, read_jsonl, write_json

NAMES = {"Dead": "dead tree", "Alive": "living tree"}


def write(folder, layout, names=NAMES):
    out = folder.parent / layout
    return write_own([folder], layout=layout, out=out, names=names), out


def test_boxes_become_box_masks_of_their_own_classes(folder):
    made, out = write(folder, "rrsis_d")
    records = list(read_benchmark("rrsis_d", out))
    assert (made.n_pictures, made.n_boxes) == (2, 7)
    assert len(records) == sum(made.kinds.values())
    assert set(made.kinds) == {"tree", "dead tree", "living tree"}
    assert all("box_mask" in record.notes for record in records)
    found = next(r for r in records if r.text == "the largest tree in the upper left")
    wanted = np.zeros((120, 120), bool)
    wanted[4:30, 4:30] = True
    assert np.array_equal(decode_mask(found.masks[0]), wanted)
    assert (found.boxes, found.kind) == ((PixelBox(4, 4, 30, 30),), "tree")


def test_without_the_marker_the_published_classes_are_the_only_ones(folder):
    _, out = write(folder, "rrsis_d")
    (out / "OWN.json").unlink()
    with pytest.raises(AnnotationError, match=r"class '(dead|living) tree'"):
        list(read_benchmark("rrsis_d", out))


@pytest.mark.parametrize("layout", ["rrsis_d", "rsvqa_lr"])
def test_a_written_set_is_valid_and_its_counts_bind(folder, layout):
    made, out = write(folder, layout)
    records = folder.parent / "records"
    report = validate(layout, out, records, load_profile("sample"))
    assert report.counts == {"test": sum(made.kinds.values())}
    assert (report.expected_origin, report.count_accepted) == ("own", False)
    marker = read_json(out / "OWN.json")
    marker["counts"]["test"] += 1
    write_json(out / "OWN.json", marker)
    with pytest.raises(AnnotationError, match="expect_table_row_count"):
        validate(layout, out, records, load_profile("sample"))


def test_one_class_alone_is_valid(folder):
    (folder / "city.xml").unlink()
    made, out = write(folder, "rrsis_d")
    assert list(made.kinds) == ["tree"]
    assert validate("rrsis_d", out, folder.parent / "r", load_profile("sample")).is_valid


def test_the_paper_profile_refuses_own_data_unless_the_count_is_accepted(folder):
    made, out = write(folder, "rsvqa_lr")
    paper = load_profile("paper")
    with pytest.raises(ConfigError, match="holds own data"):
        validate("rsvqa_lr", out, folder.parent / "r", paper)
    accepted = override(paper, data={"accept_count": ["rsvqa_lr"]})
    report = validate("rsvqa_lr", out, folder.parent / "r", accepted)
    assert report.counts == {"test": sum(made.kinds.values())}


def test_a_marker_of_another_benchmark_is_refused(folder):
    _, out = write(folder, "rrsis_d")
    write_json(out / "OWN.json", {"benchmark": "rsvqa_lr", "counts": {}})
    with pytest.raises(AnnotationError, match=r"own data for rsvqa_lr\. Wanted: rrsis_d"):
        list(read_benchmark("rrsis_d", out))


@pytest.mark.parametrize(
    ("layout", "out", "said"),
    [("coco", "new", "one of .'rrsis_d', 'rsvqa_lr'"), ("rrsis_d", "pictures", "is not empty")],
)
def test_a_wrong_layout_or_a_full_folder_is_refused(folder, layout, out, said):
    with pytest.raises(ConfigError, match=said):
        write_own([folder], layout=layout, out=folder.parent / out, names={})


def test_equal_boxes_about_which_nothing_is_certain_are_refused(folder):
    (folder / "city.xml").unlink()
    row = "forest.png,10,10,20,20,Tree\n"
    (folder / "forest.csv").write_text("image_path,xmin,ymin,xmax,ymax,label\n" + row + row)
    with pytest.raises(AnnotationError, match="nothing certain can be said"):
        write(folder, "rrsis_d")


def geomag(project, *arguments):
    command = [sys.executable, "-m", "geomag", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=project, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_predict_wants_files_and_records_of_own_data_together(tmp_path):
    with pytest.raises(ConfigError, match=r"--data, --records: one of the two\. Wanted: both"):
        predict("rrsis_d", data=tmp_path)
    with pytest.raises(ConfigError, match="'trees'"):
        predict("trees")


def untrained_models(models):
    """Every part of the sample's model with drawn weights: the path is tested, not the scores."""
    from geomag.magcrop.granularity import GranularityClassifier, TaskClassifier, save_classifiers
    from geomag.magcrop.text_encoder import build_text_encoder
    from geomag.model.assemble import save_trained, untrained
    from geomag.model.tokenizer import train_tokenizer
    from geomag.model.vlm import Vlm
    from geomag.model.weights import sample_encoder, save_base
    from geomag.sample.tiny import tiny_llava

    profile = load_profile("sample")
    torch.manual_seed(0)
    tokenizer = train_tokenizer(["Mark the largest tree in this image with a mask. It is yes no"])
    vlm = Vlm(tiny_llava(profile.vlm, tokenizer, seed=0), tokenizer)
    save_base(models / "base", vlm, sample_encoder(profile))
    save_trained(untrained(models, profile).eval(), models, profile)
    encoder = build_text_encoder(profile.text_encoder)
    vectors = encoder.encode(["Is there a tree?"])
    width = vectors.shape[-1]
    heads = (GranularityClassifier(width), TaskClassifier(width))
    save_classifiers(models / "granularity", *heads, encoder_digest=encoder.digest, metrics={})


@pytest.mark.integration
@pytest.mark.parametrize("layout", ["rrsis_d", "rsvqa_lr"])
def test_own_pictures_go_through_the_command_line(folder, layout):
    project = folder.parent
    untrained_models(project / "artifacts" / "models")
    out, records = project / "own", project / "records"
    said = geomag(project, "data", "own", folder, "--layout", layout, "--out", out)
    assert f"2 pictures, 7 boxes -> {layout}" in said
    geomag(project, "data", "validate", layout, "--data", out, "--out", records)
    file = records / "records.jsonl"
    told = geomag(project, "predict", layout, "--data", out, "--records", file)
    assert f"{layout} magcrop, profile sample:" in told
    ids = [row["id"] for row in read_jsonl(file)]
    rows = list(read_jsonl(records / "magcrop.jsonl"))
    assert [row["id"] for row in rows] == ids
    assert all(row["tokens"] > 0 for row in rows)
    told = geomag(
        project, "score", layout, records / "magcrop.jsonl", "--data", out,
        "--json", project / "score.json",
    )  # fmt: skip
    assert "A toy's scores (profile sample)" in told
    score = read_json(project / "score.json")
    assert (score["n_records"], score["counts"]["missing"]) == (len(ids), 0)
    assert not (project / "artifacts" / "predictions").exists()
