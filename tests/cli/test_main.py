"""The command line's own options, and how its help is laid out."""

from importlib.metadata import version

import typer
from typer.testing import CliRunner

from geomag.cli.main import app


def test_the_version_is_the_installed_package_s():
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.stdout) == (0, f"geomag {version('geomag')}\n")


def test_every_command_stands_in_a_named_group_of_the_help():
    commands = typer.main.get_command(app).commands
    assert {name for name, command in commands.items() if not command.rich_help_panel} == set()
    assert commands["ask"].rich_help_panel == "Ask"
