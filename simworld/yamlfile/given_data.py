"""Data that was given in Python and not in a file, read and refused as a file's."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from simworld.core.errors import InputError
from simworld.yamlfile.document import Document, load_text


@contextmanager
def data_document(data: Any, name: str) -> Iterator[Document]:
    """The document of plain data (text, numbers, lists, mappings by text, paths).

    Problems of it that rise in the block are at `name`: such data has no lines and columns.

    Raises:
        InputError: the data is not plain, or the block's own.
    """
    try:
        # JSON is YAML too
        text = json.dumps(data, ensure_ascii=False, allow_nan=False, default=os.fspath)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"expected plain data, as a YAML file holds: {error}", name) from None
    place = re.compile(re.escape(name) + r":\d+:\d+")
    try:
        yield load_text(text, name)
    except InputError as error:
        raise InputError(
            replace(problem, where=name) if place.fullmatch(problem.where) else problem
            for problem in error.problems
        ) from None
