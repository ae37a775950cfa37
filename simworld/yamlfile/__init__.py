"""YAML files with a place for everything: a strict loader, and pydantic models whose errors say
file, line and column.

`load_yaml(path)` gives a `Document`: plain `data`, and `place(("seats", 1, "goal"))` →
"rent.yaml:12:11". `parse(document, MyModel)` validates it. Both raise one InputError with every
problem, each with its place.
"""

from simworld.yamlfile.document import Document, YamlLocation, in_order, load_text, load_yaml
from simworld.yamlfile.file_search import is_glob, matching_files, yaml_files
from simworld.yamlfile.messages import and_list, closest, did_you_mean, or_list, shorten, value_text
from simworld.yamlfile.new_files import write_new
from simworld.yamlfile.parsing import parse, problem_texts
from simworld.yamlfile.regular_files import read_regular, regular_size
from simworld.yamlfile.scalars import as_text
from simworld.yamlfile.similar_files import did_you_mean_file
from simworld.yamlfile.top_keys import top_keys

__all__ = [
    "Document",
    "YamlLocation",
    "and_list",
    "as_text",
    "closest",
    "did_you_mean",
    "did_you_mean_file",
    "in_order",
    "is_glob",
    "load_text",
    "load_yaml",
    "matching_files",
    "or_list",
    "parse",
    "problem_texts",
    "read_regular",
    "regular_size",
    "shorten",
    "top_keys",
    "value_text",
    "write_new",
    "yaml_files",
]
