"""Names that are still accepted under an older one: a warning says what to write instead, and in
which version the old name goes.

It is a FutureWarning, which Python shows to everybody, once for each place that uses the old name.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from simworld.core.errors import InputError

P = ParamSpec("P")
T = TypeVar("T")


class RenamedWarning(FutureWarning):
    """An old name was used that will not be accepted for ever."""


def warn_renamed(old: str, new: str, *, removed_in: str, stacklevel: int = 2) -> None:
    """Warns that `old` is called `new` now, and is refused from version `removed_in` on.

    `stacklevel` is that of `warnings.warn`, seen from the caller of this: 2 is the caller's caller.
    """
    warnings.warn(
        f"{old} is called {new} now; the old name goes in simworld {removed_in}",
        RenamedWarning,
        stacklevel=stacklevel + 1,
    )


def renamed_arguments(
    new_by_old: Mapping[str, str], *, removed_in: str
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A decorator for a function whose keyword arguments were renamed: it takes the old ones too.

    Both names of one argument in a call are a TypeError, as two values of it always are.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
            for old in new_by_old.keys() & kwargs.keys():
                new = new_by_old[old]
                if new in kwargs:
                    raise TypeError(
                        f"{function.__name__}() got the argument {new!r} twice, also as {old!r}"
                    )
                warn_renamed(
                    f"argument {old!r} of {function.__name__}()", repr(new), removed_in=removed_in
                )
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return wrapper

    return decorate


def renamed_function(old: str, function: Callable[P, T], *, removed_in: str) -> Callable[P, T]:
    """The function for those who know it by its old name."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        warn_renamed(f"{old}()", f"{function.__name__}()", removed_in=removed_in)
        return function(*args, **kwargs)

    return wrapper


def renamed_keys(
    data: Mapping[str, Any], new_by_old: Mapping[str, str], *, where: str, removed_in: str
) -> dict[str, Any]:
    """A mapping of a file with its keys under their new names; `where` is the file, for messages.

    Raises InputError where a key stands under both.
    """
    renamed = dict(data)
    for old, new in new_by_old.items():
        if old not in renamed:
            continue
        if new in renamed:
            raise InputError(f"{old} and {new} are one key; keep {new}", where)
        warn_renamed(f"{where}: key {old!r}", repr(new), removed_in=removed_in)
        renamed[new] = renamed.pop(old)
    return renamed
