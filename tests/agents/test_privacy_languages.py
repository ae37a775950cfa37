"""Marks of privacy as six languages write them: articles and cases with a role, titles with a name,
and who is not here.

Each line's reading was written down by hand: `name <- mark` for whom it is, `? <- mark` where it
must be asked again, and `* <- mark` for a gesture or a phrase that leaves the words to everybody.
"""

from __future__ import annotations

import pytest

from agents.replies.people_names import PeopleNames
from agents.replies.privacy import UnresolvedAddressee
from agents.replies.reply_parsing import parse_reply
from simworld.core.episode import Action, ActionKind
from simworld.core.scenario import Persona, Relationship, Scenario, Seat
from simworld.core.visibility import observe

SAID = "70."

GERMAN = """
käufer <- (zu dem Käufer)
käufer <- (zum Käufer)
käufer <- (an den Käufer)
käufer <- (leise zum Käufer)
käufer <- (leise, zum Käufer)
käufer <- (nur für den Käufer)
käufer <- (flüstert dem Käufer zu)
käufer <- (ins Ohr des Käufers)
käufer <- (in Käufers Ohr)
käufer <- (nur Käufer)
käufer <- (so dass nur der Käufer es hört)
käufer <- (im Vertrauen zum Käufer)
freundin <- (zur Freundin)
freundin <- (an die Freundin gewandt)
freundin <- (zu meiner Freundin)
kunde <- (zum Kunden)
kunde <- (zu dem Kunden)
nachbar <- (zum Nachbarn)
käufer freundin <- (zum Käufer und zur Freundin)
? <- (zu den Kunden)
? <- (zu Kunden)
? <- (für die Kunden)
? <- (zum Käufer und zum Chef)
? <- (zum Chef und seinem Fahrer)
? <- (leise zum Chef)
? <- (zu Herrn Öztürk)
? <- (zu Frau Groß)
? <- (zu meinem Freund)
? <- (dem Käufer)
? <- (zum Käufer hin)
* <- (nickt dem Käufer zu)
* <- (geht zum Käufer)
* <- (lächelt die Freundin an)
* <- (zum Fenster)
* <- (zu allen)
"""
FRENCH = """
acheteur <- (à l'acheteur)
acheteur <- (à l’acheteur seul)
acheteur <- (tout bas, à l'acheteur)
acheteur <- (à l'acheteur, tout bas)
acheteur <- (chuchote à l'oreille de l'acheteur)
acheteur <- (juste à l'acheteur)
acheteur <- (en confidence à l'acheteur)
acheteur <- (seul l'acheteur entend)
vendeur <- (au vendeur)
vendeur <- (tout bas au vendeur)
vendeur <- (pour le vendeur seulement)
amie <- (à mon amie)
homme-âgé <- (à l'homme âgé)
acheteur vendeur <- (à l'acheteur et au vendeur)
? <- (aux vendeurs)
? <- (au maire)
? <- (tout bas au maire)
? <- (au maire et à son adjoint)
? <- (à M. Lefèvre)
? <- (à Mme Petit)
* <- (sourit à l'acheteur)
* <- (se tourne vers l'acheteur)
* <- (à la fenêtre)
* <- (à tous)
"""
SPANISH = """
comprador <- (al comprador)
comprador <- (solo al comprador)
comprador <- (al comprador, en voz baja)
comprador <- (susurra al oído del comprador)
comprador <- (en confianza al comprador)
comprador <- (solo el comprador oye)
amiga <- (a la amiga)
amiga <- (a mi amiga)
comprador amiga <- (al comprador y a la amiga)
? <- (al alcalde)
? <- (en voz baja al alcalde)
? <- (al alcalde y a su chófer)
? <- (al señor Rivas)
? <- (a don Tomás)
* <- (mira al comprador)
* <- (a la ventana)
* <- (a todos)
"""
CHINESE = """
买家 <- （对买家）
买家 <- （对买家先生说）
买家 <- （对那位买家）
买家 <- （悄悄对那个买家说）
买家 <- （对 买家 说）
买家 <- （压低声音对买家）
买家 <- （和买家说）
朋友 <- （对我的朋友说）
买家 朋友 <- （对买家、朋友说）
? <- （对高个子买家）
? <- （对王小明先生）
? <- （对王先生说）
? <- （对我的医生说）
* <- （对买家点头）
* <- （对这位买家微笑）
* <- （向买家走去）
* <- （对我来说）
* <- （对大家说）
"""
JAPANESE = """
買い手 <- （買い手さんにだけ）
買い手 <- （買い手様に）
買い手 <- （買い手の方に）
買い手 <- （その買い手に）
買い手 <- （買い手にそっと）
買い手 <- （買い手に向けて）
買い手 <- （買い手と二人だけで）
友だち <- （お友だちにだけ）
買い手 友だち <- （買い手、友だちに）
買い手 友だち <- （買い手さんと友だちさんに）
? <- （さくらさんに）
? <- （さくらだけに）
? <- （山田さんに）
* <- （買い手に微笑む）
* <- （静かに）
* <- （鏡に向かって）
* <- （みんなに）
"""
ARABIC = """
زبون <- (إلى الزبون)
زبون <- (إلى زبون)
زبون <- (للزبون)
زبون <- (الى الزَّبون)
زبون <- (همسًا إلى الزبون)
زبون <- (همساً في أذن الزبون)
زبون <- (إلى زبوني)
زبون <- (إلى الزبون فقط)
زبون <- (موجهًا الكلام إلى الزبون)
زبون <- (مخاطبًا الزبون)
زبون <- (بيني وبين الزبون)
صديقة <- (للصديقة)
صديقة <- (إلى صديقتي)
مدير-القاعة <- (إلى المدير)
زبون صديقة <- (إلى الزبون والصديقة)
زبون صديقة <- (إلى الزبون وإلى الصديقة)
? <- (إلى الزبائن)
? <- (إلى العمدة ونائبه)
? <- (همسًا للعمدة)
? <- (إلى السيد طارق)
* <- (ينظر إلى الزبون)
* <- (يبتسم للزبون)
* <- (إلى اليسار)
* <- (للجميع)
"""
TABLES = {
    "de": (GERMAN, ("verkäuferin", "käufer", "freundin", "kunde", "nachbar")),
    "fr": (FRENCH, ("vendeuse", "acheteur", "vendeur", "amie", "homme-âgé")),
    "es": (SPANISH, ("vendedora", "comprador", "amiga")),
    "zh": (CHINESE, ("卖家", "买家", "朋友")),
    "ja": (JAPANESE, ("売り手", "買い手", "友だち")),
    "ar": (ARABIC, ("بائعة", "زبون", "صديقة", "مدير-القاعة")),
}
KNOWN = [
    ("zh", "王小明", "（对王先生说）"),
    ("zh", "王小明", "（对小明说）"),
    ("zh", "王小明", "（对老王说）"),
    ("zh", "王小明", "（对王小明先生）"),
    ("zh", "欧阳小明", "（对欧阳女士说）"),
    ("zh", "王小明", "（对王医生说）"),
    ("ja", "山田太郎", "（山田さんに）"),
    ("ja", "山田太郎", "（太郎くんにだけ）"),
    ("ja", "山田 太郎", "（山田太郎さんに）"),
    ("de", "Tomas Öztürk", "(zu Herrn Öztürk)"),
    ("fr", "Thomas Lefèvre", "(à M. Lefèvre)"),
    ("es", "Tomás Rivas", "(al señor Rivas)"),
    ("es", "Tomás Rivas", "(a don Tomás)"),
    ("ar", "طارق عمر", "(إلى السيد طارق)"),
    ("ar", "أحمد عمر", "(إلى احمد)"),
]


def table(
    language: str, *seats: tuple[str, str], relationship: Relationship = Relationship.stranger
) -> PeopleNames:
    """The names as the first seat knows them; everybody is a doctor."""
    doctor = {"zh": "医生"}.get(language, "")
    at = tuple(
        Seat(name=seat, persona=Persona(name=name, occupation=doctor), goal="G")
        for seat, name in seats
    )
    pairs = {(a.name, b.name): relationship for i, a in enumerate(at) for b in at[i + 1 :]}
    scenario = Scenario(name="x", setting="S", seats=at, relationships=pairs, language=language)
    return PeopleNames.of(observe(scenario, at[0].name, (), 0, 0))


def spoken(*to: str) -> Action:
    return Action(kind=ActionKind.speak, text=SAID, to=to)


def readings() -> list[tuple[str, str, str]]:
    lines = [
        (language, line)
        for language, (text, _) in TABLES.items()
        for line in text.strip().splitlines()
    ]
    return [
        (language, line.partition(" <- ")[0], line.partition(" <- ")[2]) for language, line in lines
    ]


@pytest.mark.parametrize(("language", "whom", "mark"), readings())
def test_a_role_is_known_in_the_forms_of_its_language(language: str, whom: str, mark: str) -> None:
    seats = TABLES[language][1]
    names = table(language, *((seat, f"P{i} Q{i}") for i, seat in enumerate(seats)))
    read = parse_reply(f"{mark} {SAID}", names)
    if whom == "?":
        assert isinstance(read, UnresolvedAddressee), read
    else:
        assert read == spoken(*(() if whom == "*" else whom.split(" ")))


@pytest.mark.parametrize(("language", "name", "mark"), KNOWN)
def test_somebody_is_known_by_name_and_title(language: str, name: str, mark: str) -> None:
    seats = (("one", "P Q"), ("two", name), ("three", "R S"))
    known = table(language, *seats, relationship=Relationship.friend)
    assert parse_reply(f"{mark} {SAID}", known) == spoken("two")
    # of strangers nobody knows the name, so it is somebody who is not here
    assert isinstance(parse_reply(f"{mark} {SAID}", table(language, *seats)), UnresolvedAddressee)


@pytest.mark.parametrize(
    ("language", "mark"),
    [
        ("zh", "（对王先生说）"),
        ("ja", "（山田さんに）"),
        ("ar", "(إلى الطبيب)"),
        ("de", "(zum Kunden)"),
    ],
)
def test_what_may_mean_two_is_asked_again(language: str, mark: str) -> None:
    two = {
        "zh": (("b", "王小明"), ("c", "王大伟")),
        "ja": (("b", "山田太郎"), ("c", "山田花子")),
        "ar": (("طبيب-أول", "P Q"), ("طبيب-ثان", "R S")),
        "de": (("kunde-eins", "P Q"), ("kunde-zwei", "R S")),
    }[language]
    known = table(language, ("a", "X Y"), *two, relationship=Relationship.friend)
    assert isinstance(parse_reply(f"{mark} {SAID}", known), UnresolvedAddressee)


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("de", "Zum Käufer: 70."),
        ("de", "Verkäuferin zum Käufer: 70."),
        ("de", "(zum Käufer: 70.)"),
        ("fr", "Vendeuse, à l'acheteur : 70."),
        ("es", "Vendedora al comprador: 70."),
        ("zh", "对买家说：70."),
        ("ja", "買い手にだけ：70."),
        ("ar", "للزبون: 70."),
        ("ar", "همسًا إلى الزبون: 70."),
        ("ar", "البائعة (إلى الزبون): 70."),
    ],
)
def test_a_mark_may_be_a_label(language: str, line: str) -> None:
    seats = TABLES[language][1]
    names = table(language, *((seat, f"P{i} Q{i}") for i, seat in enumerate(seats)))
    assert parse_reply(line, names) == spoken(seats[1])


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("de", "Zum Preis: 70."),
        ("zh", "给买家的价格：70."),
        ("ar", "السعر للزبون: 70."),
        ("de", "Für den Käufer gilt: 70."),
    ],
)
def test_a_sentence_with_a_colon_is_for_everybody(language: str, line: str) -> None:
    seats = TABLES[language][1]
    names = table(language, *((seat, f"P{i} Q{i}") for i, seat in enumerate(seats)))
    assert parse_reply(line, names) == Action(kind=ActionKind.speak, text=line)


@pytest.mark.parametrize(
    ("language", "own", "other"),
    [
        ("de", "Die Verkäuferin:", "Der Käufer:"),
        ("fr", "La vendeuse :", "L'acheteur :"),
        ("es", "La vendedora:", "El comprador:"),
        ("zh", "卖家：", "那位买家："),
        ("zh", "卖家小姐：", "买家先生："),
        ("ja", "売り手：", "買い手さん："),
        ("ar", "البائعة:", "الزبون:"),
    ],
)
def test_nobody_speaks_the_lines_of_another_whose_label_has_an_article_or_a_title(
    language: str, own: str, other: str
) -> None:
    seats = TABLES[language][1]
    names = table(language, *((seat, f"P{i} Q{i}") for i, seat in enumerate(seats)))
    for between in ("\n", " "):
        assert parse_reply(f"{own} {SAID}{between}{other} 60.", names) == spoken()


def test_a_sentence_that_names_somebody_before_a_colon_is_not_cut() -> None:
    names = table("de", ("verkäuferin", "P Q"), ("käufer", "R S"))
    line = "Ich gebe das dem Käufer: gern."
    assert parse_reply(line, names) == Action(kind=ActionKind.speak, text=line)
