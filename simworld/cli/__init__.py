"""The `simworld` command: each command group is loaded when it is used, so that `--help` needs neither torch nor SQLAlchemy."""

from __future__ import annotations

import importlib
import sys

import click

from simworld import fence
from simworld.core.errors import SimworldError

# name → (module, attribute, one line of help)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "demo": ("simworld.cli.demo", "demo", "Play, judge and show a dozen scenarios on the built-in model."),
    "scenario": ("simworld.cli.scenario", "scenario", "Write, check, show and import scenarios."),
    "agent": ("simworld.cli.agent", "agent", "Check and show agent specs."),
    "model": ("simworld.cli.model", "model", "Get and verify the packaged weights."),
    "run": ("simworld.cli.run", "run", "Play scenarios with a cast of agents."),
    "judge": ("simworld.cli.judge", "judge", "Score stored episodes, and measure a judge."),
    "episode": ("simworld.cli.episode", "episode", "List and show stored episodes."),
    "db": ("simworld.cli.db", "db", "Upgrade, describe, query and export a database."),
}


class LazyGroup(click.Group):
    """A group whose commands live in modules that are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="simworld")
def cli() -> None:
    """A laboratory for social simulation with steerable language-model agents."""


def main() -> None:
    """Runs the command; a known error is one line on stderr and its exit code, Ctrl-C exits 130, a bug shows its traceback."""
    try:
        fence.check()
        code = cli.main(standalone_mode=False)
        if isinstance(code, int):  # what a command gave to `Exit`; click returns it here
            sys.exit(code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except fence.NameTaken as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except SimworldError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Stopped.", err=True)
        sys.exit(130)
