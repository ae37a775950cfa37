"""YAML files with a place for everything: a strict loader, and pydantic models whose errors say
file, line and column.

`load_yaml(path)` gives a `Document`: plain `data`, and `file_position(("seats", 1, "goal"))` →
"rent.yaml:12:11". `parse(document, MyModel)` validates it. Both raise one InputError with every
problem, each with its place.
"""

from simworld.yamlfile.document import Document, YamlPath, load_text, load_yaml, sort_problems
from simworld.yamlfile.file_search import glob_yaml_files, is_glob, list_yaml_files
from simworld.yamlfile.given_data import data_document
from simworld.yamlfile.messages import (
    closest_match,
    describe_value,
    did_you_mean,
    join_with_and,
    join_with_or,
    shorten,
)
from simworld.yamlfile.new_files import write_new_files
from simworld.yamlfile.parsing import parse, problem_texts
from simworld.yamlfile.regular_files import read_regular_file, regular_file_size
from simworld.yamlfile.scalars import quote_scalar
from simworld.yamlfile.similar_files import did_you_mean_file
from simworld.yamlfile.top_keys import top_level_keys

__all__ = [
    "Document",
    "YamlPath",
    "closest_match",
    "data_document",
    "describe_value",
    "did_you_mean",
    "did_you_mean_file",
    "glob_yaml_files",
    "is_glob",
    "join_with_and",
    "join_with_or",
    "list_yaml_files",
    "load_text",
    "load_yaml",
    "parse",
    "problem_texts",
    "quote_scalar",
    "read_regular_file",
    "regular_file_size",
    "shorten",
    "sort_problems",
    "top_level_keys",
    "write_new_files",
]
