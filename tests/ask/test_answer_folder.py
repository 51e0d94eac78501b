"""Nothing of the user's is touched: inputs, folders, links, earlier answers."""

import os

import numpy as np
import pytest

from geomag.ask.answer import ask_image, check
from geomag.ask.answer_folder import default_folder
from geomag.ask.options import AskOptions
from geomag.errors import GeoMagError, OutputError, ResumeError
from tests.ask.rasters import BrightPixels, grey, write_tif

SHIP, DAM = (
    "Mark the red ship in this image with a mask.",
    "Mark the dam in this image with a mask.",
)


def ask(path, out, words=SHIP, model=None, **options):
    return ask_image(
        model or BrightPixels(), path, words, out, AskOptions(**options), log=lambda _: None
    )


def tree(folder):
    """Every path under a folder with its bytes, links as where they point."""
    return {
        path.relative_to(folder).as_posix(): str(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else None
        for path in sorted(folder.rglob("*"))
    }


def refused(path, out, words=SHIP, **options):
    """The message of a refusal that changed nothing, neither before nor after a model is loaded."""
    root = path.parent
    before = tree(root)
    with pytest.raises(GeoMagError) as early:
        check(path, words, out, AskOptions(**options))
    model = BrightPixels()
    with pytest.raises(GeoMagError) as late:
        ask(path, out, words, model, **options)
    assert str(late.value) == str(early.value)
    assert model.asked == []
    assert tree(root) == before
    return str(late.value)


@pytest.fixture
def scene(tmp_path):
    return write_tif(tmp_path / "a.tif", grey(20, 30, (10, 5, 30, 15)))


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_input_named_as_an_output_is_never_replaced(tmp_path, overwrite):
    (tmp_path / "loss" / "tiles").mkdir(parents=True)
    (tmp_path / "loss" / "tiles" / "kept.png").write_bytes(b"mine")
    path = write_tif(tmp_path / "loss" / "mask.tif", grey(20, 30))
    assert "is the input" in refused(path, tmp_path / "loss", overwrite=overwrite)


@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["symbolic", "hard"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_link_to_the_input_is_the_input(tmp_path, scene, link, overwrite):
    (tmp_path / "out").mkdir()
    link(scene, tmp_path / "out" / "mask.tif")
    assert "is the input" in refused(scene, tmp_path / "out", overwrite=overwrite)


def test_the_image_itself_is_no_folder(scene):
    assert "is the input" in refused(scene, scene, overwrite=True)


def test_a_folder_that_holds_the_image_is_refused_also_through_a_link(tmp_path, scene):
    assert "holds the image" in refused(scene, tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "here").symlink_to(tmp_path)
    assert "holds the image" in refused(scene, tmp_path / "elsewhere" / "here")


def test_a_folder_of_the_users_is_refused_and_overwrite_leaves_what_is_not_an_answers(
    tmp_path, scene
):
    out = tmp_path / "out"
    (out / "tiles").mkdir(parents=True)
    (out / "tiles" / "000000.json").write_text("mine")
    (out / "objects.parquet").write_text("mine too")
    assert "holds files of yours" in refused(scene, out)
    ask(scene, out, overwrite=True)
    assert (out / "tiles" / "000000.json").read_text() == "mine"
    assert (out / "objects.parquet").read_text() == "mine too"
    assert (out / "answer.json").is_file()


def test_a_second_question_does_not_replace_the_first_answer(tmp_path, scene):
    out = tmp_path / "out"
    ask(scene, out)
    assert "begun with another prompt" in refused(scene, out, DAM)
    with pytest.raises(ResumeError, match="begun with another prompt"):
        ask(scene, out, DAM, resume=True)
    ask(scene, out, DAM, overwrite=True)
    assert "the dam" in (out / "answer.json").read_text()


def test_another_image_of_the_same_name_does_not_replace_the_first_answer(tmp_path, scene):
    ask(scene, tmp_path / "out")
    write_tif(scene, grey(20, 30, (0, 0, 5, 5)))
    assert "begun with another image" in refused(scene, tmp_path / "out")


def test_the_same_question_again_replaces_its_own_answer_and_leaves_no_stale_file(tmp_path, scene):
    out = tmp_path / "out"
    ask(scene, out)
    (out / "notes.txt").write_text("mine")
    ask(scene, out, formats=("geoparquet",), pictures=False)
    assert sorted(path.name for path in out.iterdir()) == [
        ".geomag",
        "answer.json",
        "mask.tif",
        "mask.tif.aux.xml",
        "notes.txt",
        "objects.parquet",
    ]


def test_an_answers_file_that_was_edited_is_the_users(tmp_path, scene):
    out = tmp_path / "out"
    ask(scene, out)
    with (out / "objects.gpkg").open("ab") as handle:
        handle.write(b"edited")
    assert "objects.gpkg' is not as geomag wrote it" in refused(scene, out)


def test_a_raster_refused_half_way_leaves_the_earlier_answer_and_makes_no_folder(
    tmp_path, monkeypatch
):
    noise = np.random.default_rng(0).integers(0, 255, (3, 300, 300), dtype=np.uint8)
    path = write_tif(tmp_path / "cut.tif", noise, compress="deflate")
    path.write_bytes(path.read_bytes()[:100_000])
    before = tree(tmp_path)
    with pytest.raises(GeoMagError, match=r"cut\.tif"):
        ask(path, tmp_path / "deep" / "out")
    assert tree(tmp_path) == before

    whole = write_tif(tmp_path / "whole.tif", grey(20, 30, (10, 5, 30, 15)))
    ask(whole, tmp_path / "out")
    before = tree(tmp_path)

    def broken(*_):
        raise GeoMagError("answer", "999 masks")

    monkeypatch.setattr("geomag.ask.answer_files.Layers", broken)
    for words in (SHIP, DAM):
        with pytest.raises(GeoMagError, match="999 masks"):
            ask(whole, tmp_path / "out", words, overwrite=True)
        assert tree(tmp_path) == before


def test_a_run_killed_while_it_moves_files_in_can_be_repeated(tmp_path, scene, monkeypatch):
    out = tmp_path / "out"
    ask(scene, out)
    replace = type(out).replace

    def killed(self, target):
        if target == out / "objects.gpkg":
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(type(out), "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        ask(scene, out, formats=("gpkg",))
    assert not (out / "answer.json").exists()
    monkeypatch.undo()
    assert ask(scene, out, formats=("gpkg",))["status"] == "whole"
    assert not (out / "objects.geojson").exists()


def test_a_folder_that_cannot_be_written_is_refused_with_the_remedy(tmp_path, scene):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot be written.*--out"):
        ask(scene, tmp_path / "file" / "out")


def test_pictures_of_one_stem_and_two_questions_have_folders_of_their_own(tmp_path):
    names = {
        default_folder(tmp_path / name, words).name
        for name in ("pic.tif", "pic.png")
        for words in (SHIP, DAM)
    }
    assert len(names) == 4
    assert all(name.startswith("pic.") and name.endswith(".geomag") for name in names)
    longest = default_folder(tmp_path / ("é" * 125 + ".tif"), SHIP).name
    assert len(os.fsencode(longest)) <= 255
