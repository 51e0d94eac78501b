"""Annotation files of others: what is read, and what each mistake is called."""

import numpy as np
import pytest
from PIL import Image

from geomag.data.intake.own.boxes import annotation_files, read_pictures
from geomag.errors import AnnotationError, ImageError, UnsafePathError
from geomag.geometry import PixelBox

HEADER = "image_path,xmin,ymin,xmax,ymax,label"


def read(folder, names=None):
    return read_pictures(annotation_files([folder]), names or {})


def test_csv_and_voc_of_a_folder(folder):
    city, forest = read(folder, {"Dead": "Dead tree"})
    assert (forest.path.name, forest.width, forest.height) == ("forest.png", 120, 120)
    assert forest.objects[0].box == PixelBox(4, 4, 30, 30)
    assert [item.label for item in city.objects] == ["dead tree", "alive", "alive"]
    assert (city.width, city.height) == (200, 160)


def test_other_tables_of_a_folder_are_left_alone_and_more_columns_too(folder):
    (folder / "classes.csv").write_text("Dead,0\nAlive,1\n")
    (folder / "forest.csv").write_text(f"{HEADER},score\nforest.png,1,2,3,4,Tree,0.9\n")
    assert [len(picture.objects) for picture in read(folder)] == [3, 1]


def test_boxes_grow_to_whole_pixels_and_end_at_the_border(folder):
    (folder / "forest.csv").write_text(f"{HEADER}\nforest.png,-3,1.2,119.5,130,Tree\n")
    assert read(folder)[1].objects[0].box == PixelBox(0, 1, 120, 120)


def test_the_same_annotation_twice_counts_once_and_two_that_differ_are_refused(folder):
    (folder / "again.csv").write_text((folder / "forest.csv").read_text())
    assert [len(picture.objects) for picture in read(folder)] == [3, 4]
    (folder / "again.csv").write_text(f"{HEADER}\nforest.png,1,2,3,4,Tree\n")
    with pytest.raises(AnnotationError, match=r"1 boxes in again\.csv, 4 in forest\.csv"):
        read(folder)


def test_voc_finds_pictures_in_the_folder_beside(folder):
    (folder / "Annotations").mkdir()
    (folder / "JPEGImages").mkdir()
    (folder / "city.xml").rename(folder / "Annotations" / "city.xml")
    (folder / "city.tif").rename(folder / "JPEGImages" / "city.tif")
    assert [p.path.parent.name for p in read(folder / "Annotations")] == ["JPEGImages"]


@pytest.mark.parametrize(
    ("row", "error", "said"),
    [
        ("absent.png,1,2,3,4,Tree", AnnotationError, "line 2: no picture 'absent.png'"),
        ("forest.png,5,2,3,4,Tree", AnnotationError, "xmin < xmax"),
        ("forest.png,one,2,3,4,Tree", AnnotationError, "a finite number"),
        ("forest.png,1,2,3,4,", AnnotationError, "no label"),
        ("forest.png,400,2,410,4,Tree", AnnotationError, "inside 120 x 120 pixels"),
        ("../secret.png,1,2,3,4,Tree", UnsafePathError, "may leave the data root"),
        ("deep.png,1,2,3,4,Tree", ImageError, "values of type uint16"),
    ],
)
def test_a_broken_row_is_named(folder, row, error, said):
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(folder.parent / "secret.png")
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(folder / "deep.png")
    (folder / "forest.csv").write_text(f"{HEADER}\n{row}\n")
    with pytest.raises(error, match=said):
        read(folder)


def test_entities_and_foreign_xml_are_refused(folder):
    bomb = '<!DOCTYPE a [<!ENTITY b "b">]><annotation><filename>&b;</filename></annotation>'
    (folder / "city.xml").write_text(bomb)
    with pytest.raises(AnnotationError, match="document type or entities"):
        read(folder)
    (folder / "city.xml").write_text("<kml><filename>city.tif</filename></kml>")
    with pytest.raises(AnnotationError, match="<kml>"):
        read(folder)


def test_a_source_without_annotation_is_named(tmp_path):
    with pytest.raises(AnnotationError, match="no annotation file in it"):
        annotation_files([tmp_path])
    with pytest.raises(AnnotationError, match="no such file or folder"):
        annotation_files([tmp_path / "absent"])


def test_a_size_that_disagrees_with_the_picture_is_refused(folder):
    text = (folder / "city.xml").read_text()
    size = "<size><width>160</width><height>200</height></size>"
    (folder / "city.xml").write_text(text.replace("<annotation>", f"<annotation>{size}"))
    said = r"city\.xml, object 0, size: 160 x 200 pixels, and the picture has 200 x 160"
    with pytest.raises(AnnotationError, match=said):
        read(folder)
