"""DIOR-RSVG: object indices over sorted files, display names, safe XML (protocols/roc#files)."""

import pytest

from geomag.data.benchmarks.registry import read_benchmark
from geomag.errors import AnnotationError
from geomag.geometry import PixelBox

BOMB = """<?xml version="1.0"?>
<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]>
<annotation><object><name>&y;</name></object></annotation>"""


def read(root):
    return list(read_benchmark("dior_rsvg", root))


def edit(root, stem, old, new):
    path = root / "DIOR_RSVG" / "Annotations" / f"{stem}.xml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_an_index_counts_objects_over_files_sorted_by_name(dior):
    records = read(dior)
    assert [(r.id, str(r.split), r.image[-9:], r.kind) for r in records] == [
        ("0", "train", "00004.jpg", "storage tank"),
        ("2", "train", "00020.jpg", "golf field"),
        ("3", "train", "00020.jpg", "ship"),
        ("1", "val", "00004.jpg", "vehicle"),
        ("4", "test", "00312.jpg", "expressway service area"),
    ]
    assert records[3].boxes == (PixelBox(10.0, 11.0, 14.0, 15.0),)
    assert all(r.answers == (r.kind,) for r in records)


def test_the_description_reaches_no_record(dior):
    assert all("secret" not in str(r.to_json()) for r in read(dior))
    assert all(r.text == "" for r in read(dior))


def test_spellings_of_a_class_are_matched_and_an_unknown_one_is_refused(dior):
    edit(dior, "00312", "Expressway-Service-area", "expressway_service_AREA")
    assert read(dior)[-1].kind == "expressway service area"
    edit(dior, "00312", "expressway_service_AREA", "zeppelin")
    with pytest.raises(AnnotationError, match=r"00312\.xml, object 0, name: class 'zeppelin'"):
        read(dior)


def test_entity_expansion_is_refused(dior):
    (dior / "DIOR_RSVG/Annotations/00020.xml").write_text(BOMB)
    with pytest.raises(AnnotationError, match=r"00020\.xml: declares a document type"):
        read(dior)


def test_an_outside_entity_is_refused(dior, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("ship")
    (dior / "DIOR_RSVG/Annotations/00020.xml").write_text(
        f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{secret}">]><annotation>&x;</annotation>'
    )
    with pytest.raises(AnnotationError, match="declares a document type or entities"):
        read(dior)


def test_broken_xml_and_an_empty_one_are_named(dior):
    edit(dior, "00020", "</annotation>", "")
    with pytest.raises(AnnotationError, match=r"00020\.xml: not XML"):
        read(dior)
    (dior / "DIOR_RSVG/Annotations/00020.xml").write_text("<annotation/>")
    with pytest.raises(AnnotationError, match=r"00020\.xml: no object"):
        read(dior)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<xmin>20</xmin>", "<xmin>50</xmin>", r"bndbox: box \(50, 20, 40, 30\)"),
        ("<xmin>20</xmin>", "<xmin>20,00</xmin>", "bndbox: '20,00'.*decimal point"),
        ("<xmin>20</xmin>", "<xmin>nan</xmin>", "bndbox: 'nan'"),
        ("<xmin>20</xmin>", "", "no bndbox/xmin"),
        ("<name>ship</name>", "<name> </name>", "no name"),
    ],
)
def test_f18_a_broken_object_is_named_by_file_and_position(dior, old, new, message):
    edit(dior, "00020", old, new)
    with pytest.raises(AnnotationError, match=rf"00020\.xml, object 1(, |: ){message}"):
        read(dior)


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("val", "2\n", r"val\.txt, line 1: object 2 also stands in train\.txt, line 2"),
        ("val", "1\n5\n", r"val\.txt, line 2: '5'.*from 0 to 4"),
        ("val", "-1\n", r"val\.txt, line 1: '-1'"),
        ("val", "", "1 of 5 objects are in no split, the first is 1"),
    ],
)
def test_f20_splits_must_be_disjoint_and_complete(dior, name, lines, message):
    (dior / "DIOR_RSVG" / f"{name}.txt").write_text(lines)
    with pytest.raises(AnnotationError, match=message):
        read(dior)


def test_an_absent_split_file_is_named(dior):
    (dior / "DIOR_RSVG/val.txt").unlink()
    with pytest.raises(AnnotationError, match=r"DIOR_RSVG: no val\.txt, only Annotations, test"):
        read(dior)


def test_boxes_of_a_picture_of_another_size_are_refused(dior):
    head = "<annotation>"
    edit(dior, "00020", head, f"{head}<size><width>800</width><height>600</height></size>")
    said = r"00020\.xml, object 0, size: 800 x 600 pixels, and the picture has \d+ x \d+"
    with pytest.raises(AnnotationError, match=said):
        read(dior)


def test_a_size_of_nothing_says_nothing(dior):
    head = "<annotation>"
    edit(dior, "00020", head, f"{head}<size><width>0</width><height>0</height></size>")
    assert len(read(dior)) == 5
