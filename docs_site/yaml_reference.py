"""The keys of a kind of file as Markdown tables, from its JSON schema. No torch is loaded: the
schema of learn files, whose models need it, lies beside their page, and a test compares it.

    python -m docs_site.yaml_reference      # writes that schema anew
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from docs_site.markdown import cell, code, sentence, table
from docs_site.pages import DOCS, slug

Schema = Mapping[str, Any]

LEARN_SCHEMA = DOCS / "reference" / "learn.schema.json"

_PLAIN = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
    "object": "a mapping",
    "array": "a list",
}
_BOUNDS = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "to {}",
    "exclusiveMaximum": "below {}",
}
_LONG = 10_000  # a text this long or longer is not said to have a bound


def schemas() -> dict[str, Callable[[], Schema]]:
    """Kind of file → what makes its JSON schema, in the order of a study."""
    from agents import agent_json_schema
    from scenarios.rubrics import RubricFile
    from scenarios.scenario_file import persona_json_schema, scenario_json_schema
    from simworld.judging.judge_spec import JudgeSpec
    from simworld.tournaments.tournament_file import tournament_schema_text
    from simworld.yamlfile.json_schema import json_schema

    return {
        "scenario": scenario_json_schema,
        "persona": persona_json_schema,
        "agent": agent_json_schema,
        "rubric": lambda: json_schema(RubricFile, "simworld rubric"),
        "judge": lambda: json_schema(JudgeSpec, "simworld judge"),
        "tournament": lambda: dict(json.loads(tournament_schema_text())),
        "learn": lambda: dict(json.loads(LEARN_SCHEMA.read_text("utf-8"))),
    }


def learn_schema_text() -> str:
    """The JSON schema of learn files, as text; loads torch."""
    from simworld.pipeline.learn.learn_file import LearnFile
    from simworld.yamlfile.json_schema import json_schema

    schema = json_schema(LearnFile, "simworld learn")
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def yaml_reference(kind: str) -> str:
    """The tables of a kind of file: its own keys, then those of each mapping within it."""
    return KeyTables(schemas()[kind]()).text()


class KeyTables:
    """The tables of one schema. A mapping that occurs in several places is described once, under
    the keys that lead to the first of them.
    """

    def __init__(self, schema: Schema) -> None:
        self._root = schema
        self._names: dict[str, str] = {}  # of a definition → the heading of its section
        self._left: list[tuple[str, Schema]] = []  # headings and mappings that are not written yet

    def text(self) -> str:
        parts: list[str] = []
        if kinds := _alternatives(self._root):
            for kind in kinds:
                self._name(kind, f"kind: {self._kind_word(self._resolved(kind))}")
        else:
            parts.append(self._keys("", self._root))
        while self._left:
            heading, mapping = self._left.pop(0)
            about = sentence(mapping.get("description", ""))
            prefix = "" if heading.startswith("kind: ") else heading
            parts.append(f"### `{heading}`\n\n{about}\n\n{self._keys(prefix, mapping)}")
        return "\n".join(parts)

    def _keys(self, path: str, mapping: Schema) -> str:
        required = set(mapping.get("required", ()))
        rows = []
        for key, value in mapping.get("properties", {}).items():
            place = f"{path}.{key}" if path else key
            default = "**required**" if key in required else self._default(value.get("default", ""))
            rows.append([code(key), self._type(value, place), default, cell(self._about(value))])
        return table(["key", "value", "default", "meaning"], rows)

    def _about(self, value: Schema) -> str:
        return sentence(value.get("description", ""))

    def _default(self, value: Any) -> str:
        if value is None or value in ("", [], {}) or isinstance(value, dict):
            return ""
        if isinstance(value, float):
            return code(f"{value:.4g}")
        return code(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))

    def _type(self, value: Schema, path: str) -> str:
        if "$ref" in value:
            definition = self._resolved(value)
            if "properties" not in definition:
                return self._type(definition, path)
            name = self._name(value, path)
            return f"a mapping: [{code(name)}](#{slug(name)})"
        if "enum" in value:
            return " or ".join(code(str(one)) for one in value["enum"])
        if "const" in value:
            return code(str(value["const"]))
        if choices := value.get("anyOf") or value.get("oneOf") or value.get("allOf"):
            words = [self._type(one, path) for one in choices if one != {"type": "null"}]
            return ", or ".join(dict.fromkeys(words))
        return self._plain_type(value, path)

    def _plain_type(self, value: Schema, path: str) -> str:
        kind = str(value.get("type", "anything"))
        if kind == "string":
            most = value.get("maxLength", _LONG)
            return "a text" + (f" of {most} characters at most" if most < _LONG else "")
        if kind in ("integer", "number"):
            bounds = (words.format(value[b]) for b, words in _BOUNDS.items() if b in value)
            return " ".join([_PLAIN[kind], *bounds])
        if kind == "array" and "prefixItems" in value:
            parts = (self._type(one, path) for one in value["prefixItems"])
            return f"a list: {', '.join(parts)}"
        if kind == "array" and "items" in value:
            least = f" (at least {value['minItems']})" if value.get("minItems") else ""
            return f"a list{least}, each {self._type(value['items'], path)}"
        if kind == "object" and isinstance(value.get("additionalProperties"), dict):
            inner = value["additionalProperties"]
            return f"a mapping of names, each to {self._type(inner, f'{path}.NAME')}"
        return _PLAIN.get(kind, kind)

    def _name(self, reference: Schema, path: str) -> str:
        """The heading of a definition's section, which is written later."""
        target = reference["$ref"]
        if target not in self._names:
            self._names[target] = path
            self._left.append((path, self._resolved(reference)))
        return self._names[target]

    def _resolved(self, reference: Schema) -> Schema:
        definition: Schema = self._root["$defs"][reference["$ref"].rpartition("/")[2]]
        return definition

    def _kind_word(self, definition: Schema) -> str:
        """What `kind` says in such a mapping; a word for it where it may say anything."""
        return str(definition["properties"]["kind"].get("const", "NAME"))


def _alternatives(schema: Schema) -> list[Schema]:
    """The definitions of which a file is one, where it is not a mapping of one kind."""
    if "$ref" in schema:
        return [schema]
    return [
        one
        for choices in (schema.get("oneOf", ()), schema.get("anyOf", ()))
        for choice in choices
        for one in _alternatives(choice)
    ]


if __name__ == "__main__":
    LEARN_SCHEMA.write_text(learn_schema_text(), "utf-8")
