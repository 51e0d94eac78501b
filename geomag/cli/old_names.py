"""A group of commands that knows what its commands were called before."""

from typing import Any

from typer.core import TyperGroup

from geomag.errors import ConfigError


class GroupWithOldNames(TyperGroup):
    """Answers an old name with the new one instead of "no such command"."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name.

        Raises:
            ConfigError: If the command is called otherwise now.
        """
        found = super().get_command(ctx, cmd_name)
        if found is not None:
            return found
        from geomag.config.renamed import COMMANDS  # with it come all settings, and help needs none

        if now := COMMANDS.get(f"{self.name} {cmd_name}"):
            raise ConfigError(
                f"geomag {self.name} {cmd_name}", "a command of another name now", f"geomag {now}"
            )
        return None
