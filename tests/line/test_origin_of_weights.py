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
    copy.dvc("repro", "--single-item", "train")
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
    copy.dvc("repro", "--single-item", "train")
    changed = weights(copy)
    assert changed["adapter"] != before["adapter"]
    assert changed == from_scratch(copy)


def test_a_killed_training_does_not_go_on_under_edited_code(copy):
    copy.start_and_kill(*TRAIN)
    edit_loss(copy)
    code, said = copy.failing(*TRAIN)
    assert code == 2
    assert re.search(
        r"update-000000[468]: made by code (\w{16}) of commit (\w{12})[^.]*\. "
        r"Wanted: code (?!\1)\w{16} of commit \2 with uncommitted changes.*"
        r"Remedy: go back to that code to resume, or remove \S*work.train to start over",
        said,
    )
    copy.git("checkout", LOSS)
    assert re.search(r"^train: goes on after [468] of 10$", copy.complaints(*TRAIN), re.M)
    resumed = weights(copy)
    assert resumed == from_scratch(copy)
