"""The name fence: `agents`, `scenarios` and `store` are common names, and another package of that
name must not play ours.

openai-agents installs an `agents`, and a notebook's folder may hold an `agents.py`. See
docs/design/001-top-level-names.md.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib import metadata
from importlib.machinery import ModuleSpec
from pathlib import Path

PACKAGES = ("agents", "scenarios", "store")
MARKER = "__simworld__"


class NameTaken(ImportError):
    """Another package hides one of ours; the text names it and says what to do."""


def check_package_names(packages: tuple[str, ...] = PACKAGES) -> None:
    """Raises NameTaken if one of the packages would be imported from elsewhere. Imports none of
    them.

    A folder of that name without an `__init__.py` is data and no package: people keep their files
    in `agents/` and `scenarios/`.
    """
    home = Path(__file__).resolve().parent.parent
    for name in packages:
        spec = _spec(name)
        if _is_data_folder(spec) and (home / name / "__init__.py").is_file():
            # A folder of the user's files, which Python takes for a package without an __init__.py.
            # It finds it before an editable install is asked; on the path, a real package goes
            # before such folders wherever they stand.
            sys.path.append(str(home))
            spec = _spec(name)
        origin = Path(spec.origin).resolve() if spec is not None and spec.origin else None
        if origin is None:
            raise NameTaken(
                f"simworld's own package {name!r} is missing beside {home / 'simworld'}; install"
                " simworld again"
            )
        ours = home / name / "__init__.py"
        if origin != ours or MARKER not in origin.read_text(encoding="utf-8", errors="replace"):
            raise NameTaken(
                f"another package named {name!r} ({_owner(name, origin)}) hides simworld's own; "
                "use an environment of its own for simworld, or run it from another folder"
            )


def _spec(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except ValueError:  # a module without a spec was put into sys.modules by hand
        return None


def _is_data_folder(spec: ModuleSpec | None) -> bool:
    return spec is not None and spec.origin is None and spec.submodule_search_locations is not None


def _owner(name: str, origin: Path) -> str:
    owners = [
        owner for owner in metadata.packages_distributions().get(name, []) if owner != "simworld"
    ]
    return (
        f"{', '.join(owners)}, {origin}"
        if owners and "site-packages" in origin.parts
        else str(origin)
    )
