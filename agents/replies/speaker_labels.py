"""Speaker labels in a reply: the seat's own label is removed, and the reply is cut at another
seat's.
"""

from __future__ import annotations

import re
from functools import lru_cache

from agents.replies.name_forms import CHINESE_TITLES
from agents.replies.people_names import PeopleNames, any_label

SPEECH_VERBS = (
    r"(?:says?|said|repl(?:y|ies|ied)|asks?|asked|answers?|answered|adds?|added|continues?|"
    r"continued|whispers?|whispered|"
    r"sagt|fragt|antwortet|flüstert|dit|répond|demande|murmure|dice|responde|pregunta|susurra|"
    r"说道?|說道?|问道?|答道|は?言う|"
    r"(?:قال|قالت|[يت]قول))"
)
COLON = "[:：﹕]"
_OPEN, _CLOSE = r"[\"“\[(「『【（［]?[*_]{0,3}", r"[*_]{0,3}[\])」』】）］”\"]?"
_ADDRESSING_END = re.compile(
    r"(?i)(?:\b(?:to|zu[mr]?|an|für|aux?|à|pour|al?|para|[إا]لى|و|et|und|y|and)\s|[对對跟向给給和与と]|"
    r"→\s?|->\s?)"
    r"(?:(?:the|my|our|her|his|dear|friend|mr|mrs|ms|miss|dr|d(?:ie|e[rnm]|as)|"
    r"[mdsu]\w{0,4}eine[nmr]?|herrn?|frau|"
    r"l[ea]s?|m(?:on|a|es)|m|mme|mlle|el|los|mis?|sus?|señora?|sra?)\.?\s){0,3}(?:l['’])?"
    r"[\"“'‘*_@]{0,3}$"
)
# Before and after a name in a label; in the middle of a line it begins a sentence.
_TITLES_BEFORE_NAME = (
    r"The|D(?:er|ie|as)|L[ea]s?|El|Los|Mrs?\.?|Ms\.?|Herr|Frau|M\.|Mme|Monsieur|Madame|Señora?"
)
_ARTICLE = rf"(?:(?:{_TITLES_BEFORE_NAME})\s|L['’]|[这那這]位|[そこ]の)"
_TITLE = rf"(?:さん|様|さま|ちゃん|くん|{CHINESE_TITLES})?"
_GERMAN_CASE_ARTICLE = re.compile(
    r"\b(?:d(?:er|ie|as|em|en|es)|(?:m|d|s)?ein\w{0,2}|unser\w{0,2})\s$"
)  # `Ich sage dem Käufer: nein.`
_BRACKETED = (
    r"(?:\([^()\n]{0,200}(?:\([^()\n]{0,100}\)[^()\n]{0,100})?\)|（[^（）\n]{0,200}）|"
    r"\[[^\[\]\n]{0,200}\]|"
    r"【[^【】\n]{0,200}】)"
)


def cut_at_other_speaker(text: str, names: PeopleNames) -> str:
    """What the seat itself says: up to another speaker's label, or to a second line under its own
    name.

    A label opens a line, or stands in it with its colon after a space or the end of a sentence.
    """
    others, own, own_word = _label_patterns(names.own, tuple(sorted(names.others)))
    if others is not None:
        labels = (match.start() for match in others.finditer(text))
        text = text[
            : next(
                (at for at in labels if not _is_inside_sentence(text[max(0, at - 60) : at])),
                len(text),
            )
        ]
    first = own.split(text, maxsplit=1)[0]
    if not re.sub(r"[\W_]", "", own_word.sub("", first)):
        first = text  # nothing but the label before it
    return re.sub(r"^\s*[-–—>•]\s+", "", first).strip()


def without_own_name(line: str, names: PeopleNames) -> str:
    """The line without the labels it begins with: `Nadia:`, `**Nadia:**`, `Nadia (smiling):`,
    `Nadia said:`, `Nadia says, "…`.
    """
    label, quoting = _own_label_patterns(names.own)
    at = 0
    while match := label.match(line, at):
        at = match.end()
    match = quoting.match(line, at)
    return line[match.end() if match else at :]


def _is_inside_sentence(before: str) -> bool:
    # `Nadia to my dear Ida: …` is the seat's own.
    return bool(_ADDRESSING_END.search(before) or _GERMAN_CASE_ARTICLE.search(before))


@lru_cache(maxsize=256)
def _label_patterns(
    own: tuple[str, ...], others: tuple[str, ...]
) -> tuple[re.Pattern[str] | None, re.Pattern[str], re.Pattern[str]]:
    other = None
    if others:
        name = any_label(others)
        label = (
            rf"(?:[\[【「『［](?:{name})[\]】」』］]|[*_]{{0,3}}(?:{_ARTICLE}(?i:{name})|"
            rf"{name}){_TITLE}[*_]{{0,3}})"
            rf"(?:\s?{_BRACKETED})?[*_]{{0,3}}\s?{COLON}"
        )
        other = re.compile(
            rf"(?im)^\s?{label}|^\s?(?:{name})\s?(?=[「『])|(?-i:(?<=[\s*。！？…」』”）】]){label})"
        )
    own_name = any_label(own)
    second = re.compile(
        rf"(?i)(?<=\S)\s?\n\s?[*_]{{0,3}}(?:{own_name})[*_]{{0,3}}\s?{COLON}(?=[^\n]{{0,40}}?\S)"
    )
    return other, second, re.compile(rf"(?i){own_name}")


@lru_cache(maxsize=256)
def _own_label_patterns(own: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    name = rf"{_OPEN}{_ARTICLE}?(?:{any_label(own)}){_TITLE}{_CLOSE}"
    manner = rf"(?:\s?(?:{_BRACKETED}|\*[^*:：\n]{{0,200}}\*))?"
    label = re.compile(
        rf"(?i){name}(?:\s?{SPEECH_VERBS})?{manner}\s?(?:{COLON}[*_]{{0,3}}\s*|(?=[「『]))"
    )
    return label, re.compile(rf"(?i){name}\s+{SPEECH_VERBS}{manner}\s?,\s?(?=[\"“'‘])")
