"""Bytes, words and values that readers of files did not think of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BYTES = (
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\r",
    b"\t",
    b"\x1b[31m",
    b"\x85",
    b"\xe2\x80\xa8",
    b"\xf0\x9f",
)
WORDS = (
    "~", "null", "true", ".inf", "-.inf", ".nan", "0", "-1", "1e400", "0x1F", "1_000", "9" * 30,
    "9" * 5000, "2020-01-01", "12:30:45", "*a", "&a", "<<: *a", "!!python/object:os.system",
    "!!binary x", "!!set {a}", "!x", "---", "...", "%YAML 9.9", "? ", "- ", ": ", "|", ">", "|2-",
    "{", "}", "[", "]", "[" * 400, "{a: " * 200, "'", '"', "#", "@", "`", ",", "\\", '"\\ud800"',
    '"\\x00"', '"\\u202e"', "{{x}}", "{{", "}}", "{0}", "{name}", "{goal", "%s", "x" * 300,
    "x" * 70_000, "../../../etc/passwd", "/abs/*.yaml", "s**.yaml", "**", "*.yaml", "[a-",
    "~root/x", "/dev/zero", "a\\0b", "tag:", "kind:", "library", "heldout", "file:///etc/passwd",
    "openai:m@http://", "openai:@x", "hf:", "hf:/nowhere", "builtin:", "builtin:x", "http://[::1",
    "(((a{900}){900}){900}){900}", "(?:" * 500, "(a+)+$", "(?P<x>", "\\d{1,65535}", "(?<=a+)b",
    "[\\p{L}--a]", "(?R)", "a{2,1}", "(\\d+)", "((a|b)*c){50}", "<p viewer='agent_1'>", "</p>",
    "<extra_info>", "小红", "ا", "\U0001f984", "e\u0301" * 50, "\u200b", "１２", "None", "self",
    "__class__", "name", "x: y: z",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**63, 10**400, 1e308, -0.0, float("inf"), float("nan"), "", " ",
    "\n", "\t x", [], {}, [[]], [None], {"": ""}, {"a": {"b": {}}}, {"name": "x"}, {"is": "friend"},
    ["a", "b"], [1, 2, 3], list(range(300)), {str(i): i for i in range(300)}, "\x1b[31m", "\u202e",
    "\ud800", "\x00",
)  # fmt: skip
_PATTERNS = (
    "(((a{900}){900}){900}){900}", "(" * 3000 + ")" * 3000, "(?:a{1,999}){1,999}", "(a|b){65535}",
    "[" + "a-" * 5000, "(?i)" + "(x+x+)+y", "a" * 100_000, "(?=" * 200, "(?|(a)|(b))" * 500,
    "\\p{L}{5000}", "(?e)(abc){e<=50}", "(?:(?:(?:a?){99}){99}){99}", "(?<n>a)(?P=n){99999}",
    "[[:alpha:]]", "\\N{SNOWMAN}", "(?(1)a|b)", "(?&x)",
)  # fmt: skip
_NAMES = (
    "/abs/*.yaml", "s**.yaml", "**/*.yaml", "[", "k[1-", "*" * 500, "x" * 5000 + ".yaml",
    ("d/" * 3000) + "x.yaml", "/dev/zero", "/dev/stdin", "/proc/self/mem", ".", "..", "", "/",
    "~nobody/x.yaml", "a\0.yaml", "tag:", "kind:", "tag:*", "library", "LIBRARY", "k1.yaml/",
    "./k1.yaml", "k1.yaml ", "\ud800.yaml", "nul\n.yaml", "cup.yaml", "loop.yaml", "strict.yaml",
)  # fmt: skip
_MODELS = (
    "openai:m@http://[::1", "openai:m@http://127.0.0.1:99999/v1", "openai:m@ftp://x",
    "openai:@http://x", "openai:m@http://u:p@x/v1", "openai:m", "hf:/dev/zero", "hf:..", "hf:",
    "builtin:", "builtin:../x", "openai:m@http://x/v1?api-version=1", "openai:m@HTTP://X",
    "fake:model", "openai:m@http://" + "x" * 5000,
)  # fmt: skip
_DIALOGUES = (
    "Ann: a\n" + " " * 30_000 + "b\nBo: c", "\n" * 20_000, "Ann: a\n : hello\nBo: b", ": : :", "Ann (to Bo) (to Cy): x",
    "Ann: " + "(" * 5000, "a" * 60 + ":", "*: x", "Ann:\n Ann:\n\tAnn:", "(to x): y", "\u3000: x",
    "x: y\n" * 5000, "Ann (to " + "and " * 5000 + "): x", "no speaker at all",
)  # fmt: skip
_SLOTS = ("{{x}}", "{{price}}", "{x}", "{" * 9000, "<p " * 9000, "{{name" * 3000)
# What is worst for the value of a key
FOR_KEY: Mapping[str, tuple[Any, ...]] = {
    "pattern": _PATTERNS,
    "words": (["" for _ in range(3)], ["a" * 100_000], ["\x00"], [str(i) for i in range(3000)]),
    "between": ([1e308, -1e308], ["1", "2"], [10**400, 1]),
    **dict.fromkeys(("scenarios", "train", "test", "agents", "judges", "partners"), tuple([name] for name in _NAMES)),
    **dict.fromkeys(("rubric", "prompt", "persona", "agent", "judge", "focal", "anchor"), _NAMES),
    "model": _MODELS, **dict.fromkeys(("better", "worse"), _DIALOGUES),
    **dict.fromkeys(("setting", "scenario", "goal", "system", "question"), _SLOTS),
    "matrix": ({f"p{i}": list(range(10)) for i in range(9)}, {"price": list(range(10_000))}),
    "parameters": ({"price": "{{price}}"},), "turns": (10**9, 10**30),
    "seats": ([{"name": f"s{i}", "persona": {"name": f"N{i}"}, "goal": "g"} for i in range(500)],),
    "repeats": (10**9, 10**18), "alpha": (list(range(1, 3000)),), "lines": (["x"] * 5000, ["("]),
    "seed": (10**40, -1), "steps": (10**12,), "agent_goals": (["g " + "<extra_info>" * 500] * 2,),
    "range": ([0, 1e308], [-1e308, 1e308], [0, 5e-324]),
}  # fmt: skip
