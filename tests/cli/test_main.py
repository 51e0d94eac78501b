"""The command line's own options, and how its help is laid out."""

from importlib.metadata import version

import pytest
import typer
from typer.testing import CliRunner

from geomag.cli import main
from geomag.cli.main import app
from geomag.cli.stopping import WORDS, StateSavedExit


def test_the_version_is_the_installed_package_s():
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.stdout) == (0, f"geomag {version('geomag')}\n")


def test_every_command_stands_in_a_named_group_of_the_help():
    commands = typer.main.get_command(app).commands
    assert {name for name, command in commands.items() if not command.rich_help_panel} == set()
    assert commands["ask"].rich_help_panel == "Ask"


@pytest.mark.parametrize(
    ("ended", "said"),
    [(SystemExit(130), WORDS), (StateSavedExit(130), ""), (SystemExit(0), "")],
)
def test_ctrl_c_is_answered_with_how_to_go_on_unless_the_command_has_said_so(
    monkeypatch, capsys, ended, said
):
    def stopped() -> None:
        raise ended

    monkeypatch.setattr(main, "app", stopped)
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert (caught.value.code, capsys.readouterr().err) == (ended.code, said)
