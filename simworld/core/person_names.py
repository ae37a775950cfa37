"""Short names out of full ones: `Mrs. Ana Lopes` is Ana, and `Dr. Strange` is Dr. Strange.

The first word is right for most names of most languages. Not where it is a title, an article, the
beginning of a name of several words (`Abd al-Rahman`, `van der Berg`) or no word at all.
"""

from __future__ import annotations


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# In small letters and without the dot. Left out is what is a given name as well: Dean, Don, Duke,
# Earl, King, Major, Prince.
_TITLES = _word_set(
    "mr mrs ms miss mx dr doctor prof professor sir dame madam madame lady lord rev reverend father"
    " sister brother captain capt sergeant sgt lieutenant lt colonel col general commander officer"
    " detective inspector constable judge senator president mayor ambassador nurse coach chef rabbi"
    " imam pastor bishop sheikh queen princess baron baroness count countess duchess aunt auntie"
    " uncle grandma grandpa granny grandmother grandfather herr frau fräulein dipl.-ing doktor"
    " professorin onkel tante oma opa monsieur m mme mlle mademoiselle maître docteur tonton tata"
    " oncle señor señora señorita sr sra srta doña dña doctora profesor profesora tío tía senhor"
    " senhora signor signora signorina dott dottor dottoressa meneer mevrouw dhr mevr pani господин"
    " госпожа доктор профессор श्री श्रीमती מר גברת גב' ד\"ר פרופ' السيد السيدة الآنسة الأستاذ"
    " الأستاذة أستاذ أستاذة الدكتور الدكتورة دكتور دكتورة الشيخ الحاج الحاجة المهندس المهندسة د أ"
    " العم الخال العمة الخالة"
)
_AFTER_NAMES = _word_set("jr sr ii iii iv md phd esq obe mbe")
_ARTICLES = _word_set("the der die das el la los las")
# Le Thi Hoa is a name
_ARTICLES_BEFORE_SMALL_LETTERS = _word_set("a an ein eine le les un une una uno")
_PARTICLES = _word_set("van von zu de da di du dos del della der den ter ten bin ibn al el la le")
_FIRST_NAME_BEGINNINGS = _word_set("abd abdul abu umm ibn bint saint st عبد أبو ابو أم ام ابن بنت")


def short_name(name: str) -> str:
    """What others call somebody of this full name; never empty unless the name is."""
    words = [word.rstrip(",:;") or word for word in name.split()]
    start = next((i for i, word in enumerate(words) if any(map(str.isalnum, word))), 0)
    full_name = " ".join(words[start:])
    words = words[start:]
    titles = _count_titles(words)
    name_words = words[titles:]
    while len(name_words) > 1 and titles and _normalized(name_words[-1]) in _AFTER_NAMES:
        name_words = name_words[:-1]
    if titles and len(name_words) < 2:
        return " ".join([*words[:titles], *name_words])
    if not name_words or _is_description(name_words):
        return full_name
    return " ".join(name_words[: _count_first_name_words(name_words)])


def first_word(name: str) -> str:
    """The first word of a name: the short name up to version 1 of the prompts."""
    return name.split()[0] if name.strip() else name


def _count_titles(words: list[str]) -> int:
    """How many words at the beginning are titles: `Prof. Dr. med. Hans Meier` has three."""
    count = 0
    for word in words:
        degree = count > 0 and word.endswith(".") and word.islower()
        if not degree and (_normalized(word) not in _TITLES or (word == "M")):
            break
        count += 1
    return count


def _is_description(words: list[str]) -> bool:
    """`The Stranger`, `Le vendeur`: an article and what somebody is."""
    first, following = words[0].casefold(), words[1][:1] if len(words) > 1 else ""
    return bool(following) and (
        first in _ARTICLES or (first in _ARTICLES_BEFORE_SMALL_LETTERS and following.islower())
    )


def _count_first_name_words(words: list[str]) -> int:
    """How many words the first name has."""
    if words[0] not in _PARTICLES and _normalized(words[0]) not in _FIRST_NAME_BEGINNINGS:
        return 1
    last_index = next(
        (i for i, word in enumerate(words) if i and word not in _PARTICLES), len(words) - 1
    )
    return last_index + 1


def _normalized(word: str) -> str:
    return word.casefold().rstrip(".")
