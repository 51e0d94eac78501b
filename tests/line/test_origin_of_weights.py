"""Weights are those of the code and the data that `dvc.lock` names beside them."""

import re
import shutil

import pytest
from PIL import Image, ImageOps

from geomag.manifest import read_manifest
from tests.line.project import Project

pytestmark = pytest.mark.integration
TRAIN = ("-m", "geomag", "train", "model")
LOSS = "geomag/train/losses.py"


def weights(project: Project) -> dict[str, str]:
    """Digests of what the train stage made, by part."""
    models = project.root / "artifacts" / "models"
    return {
        part: read_manifest(models / part, verify=True)["digest"] for part in ("adapter", "decoder")
    }


def from_scratch(project: Project) -> dict[str, str]:
    """The same once more with nothing resumable and nothing made."""
    shutil.rmtree(project.root / "work")
    for part in ("adapter", "decoder"):
        shutil.rmtree(project.root / "artifacts" / "models" / part, ignore_errors=True)
    project.python(*TRAIN)
    return weights(project)


def edit_loss(project: Project) -> None:
    """Let binary cross-entropy weigh fifty times as much."""
    path = project.root / LOSS
    text = path.read_text(encoding="utf-8")
    line = "    return F.binary_cross_entropy_with_logits("
    assert text.count(line) == 1
    path.write_text(text.replace(line, line.replace("return", "return 50 *")), encoding="utf-8")


def test_an_edited_loss_trains_again_to_the_weights_of_a_scratch_run(copy):
    before = weights(copy)
    edit_loss(copy)
    printed = copy.dvc("repro", "--single-item", "train")
    assert [int(n) for n in re.findall(r"^train (\d+)/10", printed, re.M)] == list(range(1, 11))
    edited = weights(copy)
    assert edited["decoder"] != before["decoder"]
    assert edited == from_scratch(copy)


def test_changed_training_pictures_train_again_to_the_weights_of_a_scratch_run(copy):
    before = weights(copy)
    for name in ("ucm_captions", "sydney_captions", "geopixeld"):  # read without heatmaps
        for picture in (copy.root / "data" / name).rglob("*.*"):
            if picture.suffix in (".tif", ".jpg", ".png"):
                with Image.open(picture) as image:
                    negative = ImageOps.invert(image.convert("RGB"))
                negative.save(picture)
    copy.dvc("add", "data")
    printed = copy.dvc("repro", "--single-item", "train")
    assert "train 10/10" in printed
    changed = weights(copy)
    assert changed["adapter"] != before["adapter"]
    assert changed == from_scratch(copy)


def test_a_killed_training_does_not_go_on_under_edited_code(copy):
    training = copy.start(*TRAIN)
    printed = iter(training.stdout)
    assert any(row.startswith("train 5/10") for row in printed)
    training.kill()
    assert training.wait(60) == -9
    edit_loss(copy)
    code, said = copy.failing(*TRAIN)
    assert code == 2
    assert re.search(
        r"update-000000[24]: made by code (\w{16}) of commit (\w{12})[^.]*\. "
        r"Wanted: code (?!\1)\w{16} of commit \2 with uncommitted changes.*"
        r"Remedy: go back to that code to resume, or remove \S*/work/train to start over",
        said,
    )
    copy.git("checkout", LOSS)
    updates = re.findall(r"^train (\d+)/10", copy.python(*TRAIN), re.M)
    assert 1 < int(updates[0]) <= 6, "the code that made the checkpoint goes on from it"
    resumed = weights(copy)
    assert resumed == from_scratch(copy)
