"""Old names of settings and commands: refused with the new one."""

import shlex
import subprocess
import sys

import pytest
from typer.main import get_command

from geomag.cli.main import app
from geomag.config import override, parse_profile
from geomag.config.renamed import COMMANDS, SETTINGS, VALUES
from geomag.config.rules import SECTIONS
from geomag.errors import ConfigError


@pytest.mark.parametrize("old", SETTINGS)
def test_an_old_setting_is_answered_with_the_new_one(old):
    section, key = old.split(".")
    with pytest.raises(ConfigError, match=f"another name now. Wanted: {SETTINGS[old]}: "):
        parse_profile({"name": "mine", section: {key: 1}}, place="mine.yaml")


@pytest.mark.parametrize(("name", "value"), VALUES)
def test_an_old_value_is_answered_with_the_new_one(name, value):
    section, key = name.split(".")
    with pytest.raises(ConfigError, match=f"answer_selection: {VALUES[name, value]}"):
        parse_profile({"name": "mine", section: {key: value}}, place="mine.yaml")


def test_the_new_names_exist_and_the_old_ones_do_not():
    for old, new in SETTINGS.items():
        section, key = old.split(".")
        known = SECTIONS[section].model_fields
        assert key not in known
        assert new.split(".")[1] in known
    for (name, _), new in VALUES.items():
        section, key = SETTINGS.get(name, name).split(".")
        changed = override(
            parse_profile({"name": "mine"}, place="mine.yaml"), **{section: {key: new}}
        )
        assert getattr(getattr(changed, section), key) == new


@pytest.mark.parametrize("old", COMMANDS)
def test_a_new_command_exists(old):
    command = get_command(app)
    for word in shlex.split(COMMANDS[old]):
        command = command.commands[word]
    group, word = old.split()
    assert word not in get_command(app).commands[group].commands


def test_an_old_command_ends_with_the_new_name_and_code_2():
    command = [sys.executable, "-m", "geomag", "bench", "keeping", "rrsis_d"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Wanted: geomag experiment selection" in done.stderr
    assert "Traceback" not in done.stderr
