"""Damage to texts and trees, drawn from seeded random numbers: bytes, words, and the structure of
YAML and JSON."""

from __future__ import annotations

import copy
import json
import random
import re
from typing import Any

import yaml

from tests.campaign.strange import BYTES, FOR_KEY, VALUES, WORDS

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where there is one
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
TOKEN = re.compile(rb"\w+|\s+|[^\w\s]")


def mutated(chance: random.Random, text: str) -> bytes:
    """The text with one to four kinds of damage, as bytes."""
    data = text.encode()
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
        how = chance.choices((damage_bytes, damage_words, damage_tree), (2, 3, 5))[0]
        data = how(chance, data)
    return data


def damage_bytes(chance: random.Random, data: bytes) -> bytes:
    """Some bytes changed, lost, doubled or put in."""
    if not data:
        return chance.choice(BYTES)
    at = chance.randrange(len(data))
    end = min(len(data), at + chance.choice((1, 1, 2, 8, 40, 400)))
    match chance.randrange(6):
        case 0:
            return data[:at] + chance.randbytes(end - at) + data[end:]
        case 1:
            return data[:at] + data[end:]
        case 2:
            return data[:end] + data[at:]
        case 3:
            return data[:at] + chance.choice(BYTES) + data[at:]
        case 4:
            return data[:at]
        case _:
            return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]


def damage_words(chance: random.Random, data: bytes) -> bytes:
    """A word or sign replaced, lost, doubled, moved, or a strange one put in."""
    tokens = TOKEN.findall(data) or [b""]
    at, other = chance.randrange(len(tokens)), chance.randrange(len(tokens))
    strange = chance.choice(WORDS).encode("utf-8", "surrogatepass")
    match chance.randrange(6):
        case 0 | 1:
            tokens[at] = strange
        case 2:
            tokens.insert(at, strange)
        case 3:
            del tokens[at]
        case 4:
            tokens[at], tokens[other] = tokens[other], tokens[at]
        case _:
            tokens.insert(other, tokens[at])
    return b"".join(tokens)


def damage_tree(chance: random.Random, data: bytes) -> bytes:
    """The document with a value replaced, lost, doubled, moved or put a level deeper; as it was
    where it is none."""
    try:
        tree = yaml.load(data, LOADER)
    except (yaml.YAMLError, ValueError, RecursionError, UnicodeError, OverflowError):
        return damage_words(chance, data)
    if not isinstance(tree, dict | list) or len(data) > 200_000:
        return damage_words(chance, data)
    tree = damaged_tree(chance, tree)
    try:
        if chance.random() < 0.5:
            text = yaml.dump(tree, Dumper=DUMPER, allow_unicode=True, sort_keys=False)
            return text.encode("utf-8", "surrogatepass")
        return json.dumps(tree, ensure_ascii=chance.random() < 0.5, default=str).encode(
            "utf-8", "surrogatepass"
        )
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return data


def damaged_tree(chance: random.Random, tree: Any) -> Any:
    """A copy of a tree of lists and dictionaries with one place damaged."""
    tree = copy.deepcopy(tree)
    paths = [path for path in places(tree) if path]
    if not paths:
        return chance.choice(VALUES)
    path = chance.choice(paths)
    holder, key = at(tree, path[:-1]), path[-1]
    known = sorted({path[-1] for path in paths if path[-1] in FOR_KEY})
    if known and chance.random() < 0.3:
        name = chance.choice(known)
        path = chance.choice([path for path in paths if path[-1] == name])
        at(tree, path[:-1])[path[-1]] = copy.deepcopy(chance.choice(FOR_KEY[path[-1]]))
        return tree
    match chance.randrange(7):
        case 0 | 1:
            holder[key] = copy.deepcopy(chance.choice((*VALUES, *WORDS)))
        case 2:
            del holder[key]
        case 3:
            holder[key] = copy.deepcopy(at(tree, chance.choice(paths)))
        case 4:
            holder[key] = chance.choice(
                ([holder[key]], {"x": holder[key]}, str(holder[key]), [holder[key]] * 2)
            )
        case 5 if isinstance(holder, dict):
            value = holder.pop(key)
            holder[
                chance.choice(
                    (
                        f"{key}x",
                        str(key).upper(),
                        str(key)[:-1],
                        chance.choice(WORDS),
                        str(chance.choice(paths)[-1]),
                    )
                )
            ] = value
        case _:
            text = str(holder[key])
            cut = chance.randrange(len(text) + 1)
            holder[key] = text[:cut] + chance.choice(WORDS) + text[cut:]
    return tree


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a tree."""
    children = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    return [path, *(place for key, value in children for place in places(value, (*path, key)))]


def at(tree: Any, path: tuple[Any, ...]) -> Any:
    """The value at a path."""
    for key in path:
        tree = tree[key]
    return tree
