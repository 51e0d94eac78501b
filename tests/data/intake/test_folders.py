"""Drops copied by hand: found where they lie, taken in whole, refused with a note."""

import shutil

import pytest

from geomag.config import load_profile
from geomag.data.benchmarks.registry import read_benchmark
from geomag.data.intake import folders as intake
from geomag.errors import AnnotationError, ImageError, ToolError, UnsafePathError
from geomag.versions import path_md5
from tests.data.conftest import RrsisDrop, rrsis_project

SAMPLE = load_profile("sample")


@pytest.fixture
def root(tmp_path):
    return rrsis_project(tmp_path / "project")


def put(root, name="rrsis_d/march"):
    """Copy the drop by hand; returns it as it is found."""
    RrsisDrop(root / "incoming" / name).write()
    (drop,) = intake.find(root)
    assert drop.name == name
    return drop


def take(root, drop):
    return intake.take(root, drop.name, drop.state, SAMPLE)


@pytest.mark.integration
@pytest.mark.parametrize("name", ["rrsis_d/march", "rrsis_d"])
def test_a_folder_in_its_benchmarks_or_in_its_place_is_taken_in_and_cleared_away(root, name):
    done = take(root, put(root, name))
    assert done.counts == {"train": 4, "val": 1, "test": 2}
    ids = [r.id for r in read_benchmark("rrsis_d", root / "data" / "rrsis_d")]
    assert ids == ["7", "11", "23", "31", "40", "101", "102"]
    assert not (root / "incoming" / name).exists()
    assert (done.folder / "rrsisd" / "instances.json").is_file()  # the copy that is kept
    assert intake.find(root) == []
    version = (root / "data.dvc").read_text()
    again = take(root, put(root, name))
    assert (again.new_files, again.counts) == ((), {})
    assert (root / "data.dvc").read_text() == version
    assert intake.find(root) == []


def test_f34_a_corrupt_drop_stays_with_a_note_until_it_is_mended(root):
    tree = RrsisDrop(root / "incoming" / "rrsis_d" / "march")
    good = tree.instances["annotations"][1]["bbox"]
    tree.instances["annotations"][1]["bbox"] = [6, 0, 3, 9]
    tree.write()
    before = path_md5(root / "data")
    (drop,) = intake.find(root)
    assert not drop.is_refused
    with pytest.raises(AnnotationError, match="annotation 102, bbox"):
        take(root, drop)
    assert path_md5(root / "data") == before
    assert drop.note == root / "incoming" / "rrsis_d.march.REFUSED.txt"
    assert "annotation 102, bbox: box (6, 0, 3, 9)" in drop.note.read_text()
    (left,) = intake.find(root)  # the note is no drop
    assert left == drop
    assert left.is_refused
    tree.instances["annotations"][1]["bbox"] = good
    tree.write()
    (mended,) = intake.find(root)
    assert not mended.is_refused


def test_f33_half_a_copy_is_refused_and_the_rest_makes_it_another_state(root, tmp_path):
    whole = RrsisDrop(tmp_path / "whole").write()
    here = root / "incoming" / "rrsis_d" / "march"
    shutil.copytree(whole, here)
    cut = here / "images" / "rrsisd" / "JPEGImages" / "00102.jpg"
    content = cut.read_bytes()
    cut.write_bytes(content[:-200])
    (half,) = intake.find(root)
    with pytest.raises(ImageError, match=r"march/images/rrsisd/JPEGImages/00102\.jpg: cannot be"):
        take(root, half)
    assert half.is_refused
    names = sorted(path.name for path in (root / "incoming").iterdir())
    assert names == ["rrsis_d", "rrsis_d.march.REFUSED.txt"]  # no copy of it is kept
    cut.write_bytes(content)
    (full,) = intake.find(root)
    assert full.state != half.state
    assert not full.is_refused


def test_a_drop_that_changed_since_it_was_seen_is_left_for_the_next_look(root):
    seen = put(root)
    (seen.path / "more.txt").write_text("still coming")
    assert take(root, seen) is None
    assert not seen.note.exists()
    assert not (root / "incoming" / "rrsis_d.march.REFUSED.txt").exists()
    shutil.rmtree(seen.path)
    assert take(root, seen) is None


@pytest.mark.parametrize("name", [".00101.jpg.Xy12Za", "00101.jpg.part", "labels.json.filepart"])
def test_a_name_under_which_tools_copy_is_told(root, name):
    drop = put(root)
    assert drop.unfinished == ""
    (drop.path / "images" / name).write_bytes(b"x")
    (again,) = intake.find(root)
    assert again.unfinished == f"images/{name}"


def test_a_state_is_of_names_sizes_and_times_and_of_no_place(root):
    drop = put(root)
    moved = drop.path.rename(drop.path.with_name("april"))
    (after,) = intake.find(root)
    assert (after.name, after.state) == ("rrsis_d/april", drop.state)
    (moved / "rrsisd" / "instances.json").touch()
    assert intake.find(root)[0].state != drop.state


def test_what_the_machine_lacks_is_not_the_drops_fault(root):
    drop = put(root)
    (root / ".dvc" / "tmp").mkdir()
    in_use = f'{{"read": {{"{root / "data"}": [{{"pid": 1, "cmd": "dvc repro"}}]}}}}'
    (root / ".dvc" / "tmp" / "rwlock").write_text(in_use)
    with pytest.raises(ToolError, match="in use by"):
        take(root, drop)
    assert not drop.note.exists()
    assert intake.find(root) == [drop]


def test_a_stray_file_a_link_and_an_unknown_name_are_refused_with_where_to_put_them(root, tmp_path):
    incoming = root / "incoming"
    (incoming / "rrsis_d").mkdir(parents=True)
    (incoming / "rrsisd").mkdir()
    (incoming / "rrsis_d" / "empty").mkdir()  # nothing yet: somebody is about to copy
    for name in ("rrsisd/a.jpg", "b.jpg", "rrsis_d/drop.zip"):
        (incoming / name).write_text("x")
    (incoming / "rrsis_d" / "link").symlink_to(tmp_path)
    wanted = {
        "b.jpg": (AnnotationError, "incoming/BENCHMARK/NAME/, with BENCHMARK one of rrsis_d"),
        "rrsis_d/drop.zip": (AnnotationError, "a file.* unpack it"),
        "rrsis_d/link": (UnsafePathError, "a link"),
        "rrsisd": (AnnotationError, "in no benchmark's folder"),
    }
    found = intake.find(root)
    assert [drop.name for drop in found] == sorted(wanted)
    for drop in found:
        kind, message = wanted[drop.name]
        with pytest.raises(kind, match=message):
            take(root, drop)
        assert drop.note.is_file()
    assert all(drop.is_refused for drop in intake.find(root))


def test_a_layout_with_another_drop_in_it_is_refused(root):
    RrsisDrop(root / "incoming" / "rrsis_d" / "march").write()
    drop = put(root, "rrsis_d")
    with pytest.raises(AnnotationError, match=r"folders of another kind .*: march"):
        take(root, drop)
