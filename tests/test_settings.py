"""Settings: each is said in whole sentences, and each number has a range that is kept to."""

import ast
import inspect
from dataclasses import fields, is_dataclass
from itertools import pairwise
from typing import get_args, get_origin, get_type_hints

import pytest

from geomag.config import Profile, override, parse_profile
from geomag.config.schema.checks import range_of
from geomag.errors import ConfigError

SECTIONS = {f.name: f.default_factory for f in fields(Profile) if is_dataclass(f.default_factory)}
SETTINGS = [(section, field.name) for section, kind in SECTIONS.items() for field in fields(kind)]


def documented(kind: type) -> dict[str, str]:
    """The sentence behind each field of a section, from its source."""
    body = ast.parse(inspect.getsource(kind)).body[0].body
    return {
        field.target.id: after.value.value
        for field, after in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
    }


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_is_said_in_sentences(section):
    said = documented(SECTIONS[section])
    assert [f.name for f in fields(SECTIONS[section]) if f.name not in said] == []
    assert [name for name, text in said.items() if not text.strip().endswith(".")] == []


def is_number(hint) -> bool:
    parts = get_args(hint) if get_origin(hint) is tuple else (hint,)
    return bool(set(parts) & {int, float})


@pytest.mark.parametrize(("section", "name"), SETTINGS)
def test_every_number_has_a_range_and_keeps_to_it(section, name):
    kind = SECTIONS[section]
    hint = get_type_hints(kind)[name]
    if not is_number(hint) or (section, name) == ("magcrop", "layer"):  # counts from either end
        return
    interval = range_of(get_type_hints(kind, include_extras=True)[name])
    assert interval is not None
    default = getattr(kind(), name)
    is_whole = int in (hint, *get_args(hint))
    wrong = -1 if is_whole else -0.5
    values = [wrong] * max(1, len(default)) if isinstance(default, tuple) else wrong
    profile = parse_profile({"name": "mine"}, place="mine.yaml")
    with pytest.raises(ConfigError, match=rf"{section}\.{name} must be .*, got {wrong}"):
        override(profile, **{section: {name: values}})
