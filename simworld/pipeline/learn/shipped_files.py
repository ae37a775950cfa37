"""The shipped learn files, by name."""

from __future__ import annotations

import logging
import os
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from simworld.core.errors import InputError
from simworld.yamlfile import Document, did_you_mean_file, load_text, load_yaml, shorten

_log = logging.getLogger(__name__)


def shipped_names() -> tuple[str, ...]:
    """Their names, sorted."""
    return tuple(
        sorted(
            p.name.removesuffix(".yaml")
            for p in _shipped_folder().iterdir()
            if p.name.endswith(".yaml")
        )
    )


def open_learn_file(name: str) -> Document:
    """The document of a shipped name or a file. Raises InputError where there is none."""
    if name in shipped_names():
        _log.info("learn file %r is a shipped one", name)
        return load_text((_shipped_folder() / f"{name}.yaml").read_text("utf-8"), f"{name}.yaml")
    if not name.endswith((".yaml", ".yml")):
        hint = (
            did_you_mean_file(name, "learn", known=shipped_names())
            or f"; there are {', '.join(shipped_names())}"
        )
        raise InputError(
            f"no learn file named {name!r}{hint} (one of your own is named by its .yaml file)"
        )
    if not os.path.lexists(name):
        raise InputError(
            f"no learn file {shorten(name)}"
            f"{did_you_mean_file(name, 'learn', known=shipped_names())}"
        )
    _log.info("learn file is %s", name)
    return load_yaml(Path(name))


def _shipped_folder() -> Traversable:
    return resources.files("simworld.pipeline.learn") / "files"
