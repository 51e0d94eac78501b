"""The report from score files: cells, escapes, and what it refuses."""

import csv
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from geomag.errors import AnnotationError
from geomag.report.build import build_report
from geomag.report.grid import Grid, csv_text, latex, markdown, safe_csv
from geomag.report.ours import half_up
from geomag.report.page import Section, page


def score(benchmark, profile="sample", **changes):
    names = {"rrsis_d": ["precision_at_0.5", "overall_iou", "mean_iou"], "geopixeld": ["cider"]}
    metrics = dict.fromkeys(names[benchmark], 0.5)
    return {
        "benchmark": benchmark,
        "split": "test",
        "n_records": 140,
        "protocol": {"profile": profile, "predictions_sha256": "ab" * 32},
        "metrics": metrics,
        "variants": {},
        "intervals": {name: [0.25, 0.75] for name in metrics},
        "baselines": {
            "all_foreground": dict.fromkeys(metrics, 0.03),
            "first_reference_against_rest": dict.fromkeys(metrics, 0.9),
        },
        "counts": {"images": 120, "missing_over_limit": False},
    } | changes


def write(folder, *scores):
    folder.mkdir(exist_ok=True)
    for tree in scores:
        (folder / f"{tree['benchmark']}.json").write_text(json.dumps(tree))
    return folder


def text_of(page):
    class Cells(HTMLParser):
        def __init__(self):
            super().__init__()
            self.rows, self.tags, self.attributes = [[]], [], []

        def handle_starttag(self, tag, attrs):
            self.tags.append(tag)
            self.attributes += attrs
            if tag in ("tr", "summary"):
                self.rows.append([])

        def handle_data(self, data):
            if data.strip():
                self.rows[-1].append(data.strip())

    parser = Cells()
    parser.feed(page)
    return parser


def test_a_sample_score_never_stands_beside_the_papers(tmp_path):
    done = build_report(write(tmp_path / "s", score("rrsis_d")), tmp_path / "r")
    rows = text_of((tmp_path / "r" / "index.html").read_text()).rows
    ours = [r for r in rows if r[:2] == ["RRSIS-D", "MIoU"]]
    assert ours == [
        ["RRSIS-D", "MIoU", "50.00 [25.00, 75.00]", "140", "120", "3.00 (all foreground)"]
    ]
    assert any("a toy model on drawn scenes" in " ".join(r) for r in rows)
    assert done.profiles == ("sample",)
    assert [c.id for c in done.cells] == [
        "1/rrsis_d/test/magcrop/precision_at_0.5",
        "1/rrsis_d/test/magcrop/overall_iou",
        "1/rrsis_d/test/magcrop/mean_iou",
        "7/rrsis_d/test/magcrop/precision_at_0.5",
        "7/rrsis_d/test/magcrop/overall_iou",
        "7/rrsis_d/test/magcrop/mean_iou",
    ]
    cells = json.loads((tmp_path / "r" / "cells.json").read_text())
    assert cells[0]["predictions_sha256"] == "ab" * 32
    assert cells[0]["score_file"] == "rrsis_d.json"


def test_a_paper_profile_score_stands_beside_the_papers_on_the_fields_scale(tmp_path):
    scores = score("rrsis_d", "paper"), score("geopixeld", "paper", metrics={"cider": 0.24})
    build_report(write(tmp_path / "s", *scores), tmp_path / "r")
    rows = text_of((tmp_path / "r" / "index.html").read_text()).rows
    ours = next(r for r in rows if r[:2] == ["RRSIS-D", "MIoU"])
    assert ours[-2:] == ["65.71", "−15.71"]
    cider = next(r for r in rows if r[:2] == ["GeoPixelD", "CIDEr"])
    assert cider[2] == "24.00 [25.00, 75.00]"
    assert cider[-2:] == ["23.52", "+0.48"]


def test_the_ablation_needs_both_arms_and_shows_the_paired_interval(tmp_path):
    gain = {"mean_iou": {"difference": 0.1, "interval": [-0.05, 0.25], "p_value": 0.3}}
    plain = score("rrsis_d", metrics={"mean_iou": 0.4}) | {"gain_of_headline": gain}
    build_report(write(tmp_path / "s", score("rrsis_d", arms={"plain": plain})), tmp_path / "r")
    text = (tmp_path / "r" / "tables.md").read_text()
    assert (
        "| RRSIS-D | MIoU | 50.00 \\[25.00, 75.00] | 40.00 \\[25.00, 75.00] "
        "| +10.00 \\[−5.00, +25.00] | 140 |" in text
    )
    assert "RRSIS-D | OIoU | 50.00 \\[25.00, 75.00] | 40" not in text


def test_missing_predictions_are_marked(tmp_path):
    tree = score("rrsis_d", counts={"images": 9, "missing_over_limit": True})
    build_report(write(tmp_path / "s", tree), tmp_path / "r")
    assert "50.00† \\[25.00, 75.00]" in (tmp_path / "r" / "tables.md").read_text()


def test_without_scores_the_papers_tables_stand_alone(tmp_path):
    done = build_report(write(tmp_path / "s"), tmp_path / "r")
    assert done.cells == ()
    page = (tmp_path / "r" / "index.html").read_text()
    assert page.count("Not measured yet.") == 7
    assert "[24]" in page
    first = {p.name: p.read_bytes() for p in done.files}
    build_report(tmp_path / "s", tmp_path / "r")
    assert {p.name: p.read_bytes() for p in done.files} == first


@pytest.mark.parametrize("lost", ["split", "n_records", "protocol"])
def test_a_score_that_cannot_be_traced_is_refused(tmp_path, lost):
    tree = score("rrsis_d")
    del tree[lost]
    with pytest.raises(AnnotationError, match=f"no .*{lost}.*score the predictions again"):
        build_report(write(tmp_path / "s", tree), tmp_path / "r")


EVIL = Grid(
    "<script>alert(1)</script>",
    ("=cmd|' /C calc'!A0", "a|b"),
    (("<img src=x onerror=alert(1)>", "+1+1"), ("x & y_z 50%", "-0.5")),
)


def test_f42_html_is_shown_as_text():
    plain, evil = "a", EVIL.caption
    pages = [
        text_of(page(word, [word], [Section(word, word, word, [grid], [grid], [word])], {word: p}))
        for word, grid, p in (
            (plain, Grid(plain, EVIL.head, EVIL.rows), Path("a.png")),
            (evil, EVIL, Path('"><script>.png')),
        )
    ]
    assert pages[1].tags == pages[0].tags
    assert ["<img src=x onerror=alert(1)>", "+1+1"] in pages[1].rows
    assert ("src", '"><script>.png') in pages[1].attributes
    assert "<script" not in markdown(EVIL)
    assert "a\\|b" in markdown(EVIL)


def test_a_hostile_class_and_profile_of_a_score_are_text_in_the_report(tmp_path):
    evil = "<script>alert(1)</script>"
    tree = score("rrsis_d", evil, variants={"by_class": {evil: {"n": 3, "mean_iou": 0.25}}})
    build_report(write(tmp_path / "s", tree), tmp_path / "r", {evil: tmp_path / "r" / "a.png"})
    text = (tmp_path / "r" / "index.html").read_text()
    parser = text_of(text)
    assert "script" not in parser.tags
    assert ["class (MIoU)", evil, "3", "25.00"] in [row[:4] for row in parser.rows]
    assert text.count("&lt;script&gt;") > 4


def test_f42_formulas_are_quoted_in_csv():
    rows = list(csv.reader(csv_text(EVIL).splitlines()))
    assert rows[0] == ["'=cmd|' /C calc'!A0", "a|b"]
    assert rows[1] == ["<img src=x onerror=alert(1)>", "'+1+1"]
    assert rows[2] == ["x & y_z 50%", "-0.5"]
    for text in ("@SUM(A1)", "\t=1", " =1+1", "-2+3", "\r=1"):
        assert safe_csv(text) == f"'{text}"


def test_latex_is_escaped():
    text = latex(EVIL)
    assert r"x \& y\_z 50\%" in text
    assert r"\begin{tabular}{lr}" in text


@pytest.mark.parametrize(
    ("value", "text"), [(91.0998, "91.10"), (0.125, "0.13"), (0.005, "0.01"), (2.675, "2.68")]
)
def test_rounding_is_half_up_on_the_decimal_value(value, text):
    assert half_up(value) == text
