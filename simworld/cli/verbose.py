"""`-v`: says on stderr what is done and why; every command takes it, also behind its name."""

from __future__ import annotations

import logging

import click

from simworld.cli.output.text import harmless

LOGGER = "simworld"
_STATE_KEY = "simworld.verbosity"  # in a context's `meta`
_FORMAT = "%(asctime)s %(name)s: %(message)s"


class StderrHandler(logging.Handler):
    """Writes to what stderr is at the moment: while a bar is shown, above the bar."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record as harmless lines; where nobody reads any more, nothing."""
        try:
            click.echo(harmless(self.format(record)), err=True)
        except (OSError, ValueError):
            return


def accept_verbose(command: click.Command) -> click.Command:
    """The command, which takes `-v` now, as do those below it that are loaded with it."""
    if not any(param.name == "verbose" for param in command.params):
        command.params.append(
            click.Option(
                ["-v", "--verbose"],
                count=True,
                default=0,
                show_default=False,
                expose_value=False,
                callback=_log_more,
                help="Say on stderr what is done and why; -vv in detail.",
            )
        )
    # a group that loads its commands lazily has none here
    for below in getattr(command, "commands", {}).values():
        accept_verbose(below)
    return command


def _log_more(ctx: click.Context, param: click.Parameter, value: int) -> None:
    """Adds to how much is said, before and behind the command's name together."""
    if not value or ctx.resilient_parsing:
        return
    root, logger = ctx.find_root(), logging.getLogger(LOGGER)
    if _STATE_KEY not in ctx.meta:
        handler, level = StderrHandler(), logger.level
        handler.setFormatter(logging.Formatter(_FORMAT, "%H:%M:%S"))
        logger.addHandler(handler)

        def undo() -> None:
            logger.removeHandler(handler)
            logger.setLevel(level)

        root.call_on_close(undo)
    ctx.meta[_STATE_KEY] = ctx.meta.get(_STATE_KEY, 0) + value
    logger.setLevel(logging.INFO if ctx.meta[_STATE_KEY] == 1 else logging.DEBUG)
