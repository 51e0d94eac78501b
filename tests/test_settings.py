"""Settings: each is said in whole sentences, and each number has a range that is kept to."""

from pathlib import Path

import pytest

from geomag.config import Profile, override, parse_profile
from geomag.config.page import page
from geomag.config.rules import SECTIONS, item_rule, range_in_words, rule
from geomag.errors import ConfigError

KINDS = {"": Profile, **SECTIONS}
SETTINGS = [
    (section, name)
    for section, kind in KINDS.items()
    for name in kind.model_fields
    if name not in SECTIONS
]
MINE = parse_profile({"name": "mine"}, place="mine.yaml")


@pytest.mark.parametrize(("section", "name"), SETTINGS)
def test_every_setting_is_said_in_sentences(section, name):
    said = KINDS[section].model_fields[name].description
    assert said == said.strip()
    assert said[0].isupper() or said.startswith("``")
    assert said.endswith(".")


@pytest.mark.parametrize(("section", "name"), SETTINGS)
def test_every_number_has_a_range_and_keeps_to_it(section, name):
    allowed = rule(KINDS[section], name)
    kind = item_rule(allowed)["type"]
    if kind not in ("integer", "number") or (section, name) == ("magcrop", "layer"):
        return  # the layer counts from either end
    assert range_in_words(allowed) != ""
    wrong = -1 if kind == "integer" else -0.5
    default = allowed["default"]
    values = [wrong] * max(1, len(default)) if isinstance(default, list) else wrong
    changed = {section: {name: values}} if section else {name: values}
    where = f"{section}.{name}" if section else name
    with pytest.raises(ConfigError, match=rf"{where} must be .*, got {wrong}"):
        override(MINE, **changed)


def test_every_fault_of_a_profile_is_told_at_once():
    tree = {"trian": {}, "train": {"steps": 0, "lr": "high", "stepz": 1}, "vlm": {"image_px": 13}}
    with pytest.raises(ConfigError) as told:
        parse_profile(tree, place="mine.yaml")
    assert str(told.value).splitlines() == [
        "mine.yaml: 6 settings are wrong",
        "  mine.yaml, name: missing",
        "  mine.yaml, vlm: vlm.image_px 13 is less than a patch, vlm.patch_px 14",
        "  mine.yaml, train: train.steps must be > 0, got 0",
        "  mine.yaml, train, lr: 'high' of type str. Wanted: a value of type float",
        "  mine.yaml, train, key 'stepz': unknown setting. Wanted: did you mean 'steps'?",
        "  mine.yaml, key 'trian': unknown setting. Wanted: did you mean 'train'?",
    ]


def test_the_page_of_settings_is_what_the_schema_says():
    written = Path(__file__).parents[1] / "docs" / "reference" / "settings.md"
    assert written.read_text() == page(), (
        "python -m geomag.config.page > docs/reference/settings.md"
    )
