"""Marks of privacy: whom a reply is for, what only looks like a mark, and what must never be said
to all."""

import pytest

from agents.replies.people_names import PeopleNames
from agents.replies.privacy import UnresolvedAddressee
from agents.replies.reply_parsing import parse_reply
from simworld.core.episode import Action, ActionKind
from simworld.core.scenario import Persona, Relationship, Scenario, Seat
from simworld.core.visibility import observe

SAID = "My floor is 60."


def at_table(relationship: Relationship = Relationship.know_by_name, **people: str) -> PeopleNames:
    """The names as the first seat knows them; the buyer is a nurse."""
    seats = tuple(
        Seat(
            name=seat,
            persona=Persona(name=name, occupation="nurse" if seat == "buyer" else ""),
            goal="Talk.",
        )
        for seat, name in people.items()
    )
    pairs = {(a.name, b.name): relationship for i, a in enumerate(seats) for b in seats[i + 1 :]}
    scenario = Scenario(name="x", setting="A stall.", seats=seats, relationships=pairs)
    return PeopleNames.of(observe(scenario, seats[0].name, (), 0, 0))


THREE = at_table(seller="Nadia Brandt", buyer="Bob Okafor", friend="Ida Holm")
TWO = at_table(seller="Nadia Brandt", buyer="Bob Okafor")
TO_IDA = """
(to Ida) SAID
(to ida) SAID
(TO IDA) SAID
(To: Ida) SAID
(to Ida:) SAID
(to Ida!) SAID
(to @Ida) SAID
(to **Ida**) SAID
(to “Ida”) SAID
(→ Ida) SAID
(to Ida Holm) SAID
(to Ms. Holm) SAID
(to Holm) SAID
(to the friend) SAID
(to my friend) SAID
(whispers to the friend) SAID
(to Friend) SAID
*(to Ida)* SAID
**(to Ida)** SAID
*to Ida* SAID
_to Ida_ SAID
"(to Ida) SAID"
“(to Ida) SAID”
“(to Ida)” SAID
(to Ida) "SAID"
[to Ida] SAID
((to Ida)) SAID
(to Ida] SAID
{to Ida} SAID
<to Ida> SAID
<whispers to Ida> SAID
~(to Ida)~ SAID
（to Ida）SAID
【to Ida】SAID
(private to Ida) SAID
(privately to Ida) SAID
(confidentially, to Ida) SAID
(aside to Ida) SAID
[aside to Ida] SAID
(sotto voce, to Ida) SAID
(whispers to Ida) SAID
*whispers to Ida* SAID
(whispering quietly to Ida) SAID
(in a low voice to Ida) SAID
(quietly, to Ida) SAID
(smiling, to Ida) SAID
(to Ida, smiling) SAID
(to Ida, quietly) SAID
(to Ida, sotto voce) SAID
(to Ida under her breath) SAID
(to Ida while Bob looks away) SAID
(to Ida, not Bob) SAID
(to everyone but Bob) SAID
(only Ida can hear) SAID
(so only Ida can hear) SAID
(Ida only) SAID
(only to Ida) SAID
(to Ida alone) SAID
(for Ida only) SAID
(for Ida's ears only) SAID
(whispers in Ida's ear) SAID
*leans over to Ida and whispers* SAID
(leans in close to Ida, whispering) SAID
*pulls Ida aside* SAID
(DM to Ida) SAID
(private: Ida) SAID
(I whisper to Ida) SAID
(to my dear friend Ida) SAID
(smiles, only to Ida) SAID
<i>(to Ida)</i> SAID
\\*to Ida\\* SAID
|to Ida| SAID
--to Ida-- SAID
1. (to Ida) SAID
Nadia to my dear Ida: SAID
(she whispers to Ida) SAID
(Nadia whispers to Ida) SAID
SAID (to Ida)
SAID *(to Ida)*
SAID (whispered to Ida)
[nods] (to Ida) SAID
(to Ida) [nods] SAID
- (to Ida) SAID
> (to Ida) SAID
Nadia: (to Ida) SAID
Nadia (to Ida): SAID
**Nadia (to Ida):** SAID
**Nadia** (to Ida): SAID
**Nadia** *(to Ida)*: SAID
Nadia [to Ida]: SAID
[Nadia (to Ida)]: SAID
[Nadia to Ida] SAID
Nadia to Ida: SAID
Nadia, to Ida: SAID
Nadia -> Ida: SAID
Nadia whispers to Ida: "SAID"
Nadia, whispering to Ida: SAID
Nadia (whispering to Ida): SAID
Nadia whispers to Ida, "SAID"
Nadia leans over and whispers to Ida, "SAID"
"SAID" Nadia whispers to Ida.
"SAID" she whispers to Ida.
To Ida: SAID
**To Ida:** SAID
Whispering to Ida: SAID
Private message to Ida: SAID
(to Ida: SAID)
[whispers to Ida: "SAID"]
(whispers to Ida, "SAID")
(an Ida) SAID
(zu Ida) SAID
(flüstert Ida zu) SAID
(leise zu Ida) SAID
(nur für Ida) SAID
(à Ida) SAID
(à voix basse, à Ida) SAID
(chuchote à l'oreille de Ida) SAID
(a Ida) SAID
(en voz baja a Ida) SAID
（对Ida说）SAID
（悄悄对Ida说）SAID
（只有Ida能听见）SAID
（Idaに）SAID
（Idaさんに）SAID
（微笑着对Ida说）SAID
（在Ida耳边说）SAID
（to Ida）SAID
(zu Frau Holm) SAID
(flüstert Ida ins Ohr) SAID
（小声でIdaに）SAID
(إلى Ida) SAID
"""
INNOCENT = """
SAID
(to everyone) SAID
(to the room) SAID
(to both of you) SAID
(to no one in particular) SAID
(an alle) SAID
（对大家说）SAID
(to be honest) SAID
(To be clear) SAID
(TO BE FAIR) SAID
(to clarify) SAID
(to put it mildly) SAID
(to tell the truth) SAID
(to cut a long story short) SAID
(to be fair to Ida) SAID
(to answer Bob's question) SAID
(to my mind) SAID
(to my great relief) SAID
(to her surprise) SAID
(to Bob's surprise) SAID
(to Idda's delight) SAID
(to the left) SAID
(to the door) SAID
(to the contrary) SAID
(to some extent) SAID
(to the best of my knowledge) SAID
(to your health) SAID
(to that end) SAID
(to sum up) SAID
(to name a few) SAID
(to no avail) SAID
(to the nearest euro) SAID
(to the moon and back) SAID
(to better days) SAID
(to entertain the idea) SAID
(to help Ida) SAID
(to begin with) SAID
(to be continued) SAID
(to 5 pm) SAID
(nods to Bob) SAID
(turns to Ida) SAID
(smiles at Ida) SAID
(thanks to Ida) SAID
(according to Ida) SAID
(next to Ida) SAID
(leans over to Ida) SAID
(laughs to herself) SAID
(so I hear) SAID
(aside from Bob) SAID
(joking aside) SAID
(private joke) SAID
(just kidding) SAID
(secretly pleased) SAID
(barely above a whisper) SAID
[hands the ticket to Ida] SAID
[sets the bag aside] SAID
(steps aside) SAID
(quietly) SAID
(softly) SAID
(an der Tür) SAID
(zu spät) SAID
(zu Hause) SAID
(à vrai dire) SAID
（对我来说）SAID
(a la derecha) SAID
（对不起）SAID
（对着镜子）SAID
"""
NEVER_PUBLIC = """
(to Idda) SAID
(to idda) SAID
(to bobb) SAID
(to Ira) SAID
(to Mayor) SAID
(to the mayor) SAID
(to the waiter) SAID
(to a stranger) SAID
(to my sister) SAID
(to the man in the corner) SAID
(to the audience) SAID
(to the nurse) SAID
(to Mr. Zed) SAID
(to Mark) SAID
(to Hope) SAID
(to I. Zed) SAID
(to marcus aurelius) SAID
(to someone else) SAID
(to one of them) SAID
(to the one in red) SAID
(to player 2) SAID
(to [name]) SAID
(to ???) SAID
(to søren) SAID
(to 小明) SAID
(to zed) SAID
(to him) SAID
(to them) SAID
(to you) SAID
(to herself) SAID
(to Nadia) SAID
(to Ida Smith) SAID
(to Ida's friend) SAID
(to Ida and Zed) SAID
(to Ida, Zed) SAID
(to Ida; to Zed) SAID
(to Ida or Zed) SAID
(to Ida, the waiter) SAID
(to everyone but Idda) SAID
*(to Idda)* SAID
*to Idda* SAID
"(to Idda) SAID"
{to Idda} SAID
<whispers to Idda> SAID
（to Idda）SAID
(quietly, to Idda) SAID
(smiling, to Idda) SAID
(aside to Idda) SAID
(whispers to Idda) SAID
(whispers to someone) SAID
(whispers something) SAID
(whispers) SAID
*whispers* SAID
(in a whisper) SAID
(leans in and whispers) SAID
(under her breath) SAID
(sotto voce) SAID
[aside] SAID
(privately) SAID
(private) SAID
(private: Idda) SAID
(only Idda can hear) SAID
(so Bob can't hear) SAID
(Ida) SAID
Nadia (whispering): SAID
Nadia (to Idda): SAID
**Nadia (to Idda):** SAID
Nadia to Idda: SAID
"SAID" Nadia whispers to Idda.
To Idda: SAID
(to Idda: SAID)
[whispers to Idda: "SAID"]
(to Ida SAID
*to Ida SAID
SAID (to Idda
SAID (to Idda)
SAID (to Marcus)
SAID (to Marcus) and that is final.
/w Ida SAID
Sure. (to Bob) SAID
Sure. (to Idda) SAID
Hello all! *(to Bob)* SAID
(to Ida) SAID (to Bob) Hi.
(to Ida) SAID (to everyone) Hi.
(to Ida) Hi. Later. (to Bob) SAID
(flüstert) SAID
(zu Idda) SAID
(à Idda) SAID
(susurrando) SAID
（耳语）SAID
（对他）SAID
（对老板）SAID
（to小明）SAID
（自言自语）SAID
(à Marc) SAID
(zu Hans) SAID
(zu ihr) SAID
(zu sich selbst) SAID
（对Idda说）SAID
（Iddaに）SAID
(يهمس) SAID
"""


def rows(table: str) -> list[str]:
    return [line.replace("SAID", SAID) for line in table.strip().splitlines()]


@pytest.mark.parametrize("raw", rows(TO_IDA))
def test_a_mark_that_names_a_seat_makes_the_whole_reply_private(raw: str) -> None:
    assert parse_reply(raw, THREE) == Action(kind=ActionKind.speak, text=SAID, to=("friend",))


@pytest.mark.parametrize("raw", rows(INNOCENT))
def test_what_only_looks_like_a_mark_is_speech_to_all(raw: str) -> None:
    assert parse_reply(raw, THREE) == Action(kind=ActionKind.speak, text=SAID)


@pytest.mark.parametrize("raw", [*rows(NEVER_PUBLIC), f"Hello all!\n(to Bob) {SAID}"])
def test_a_mark_that_cannot_be_resolved_is_never_speech(raw: str) -> None:
    assert isinstance(parse_reply(raw, THREE), UnresolvedAddressee)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("I gave it (to Bob's surprise) to Ida.", "I gave it to Ida."),
        ("The train (to Lisbon) leaves at six.", "The train leaves at six."),
        ("It is open Monday (to Friday).", "It is open Monday."),
        ("From 60 (to 70) euros.", "From 60 euros."),
        ("It is a (private) matter.", "It is a matter."),
        ("My friend (Bob) said so.", "My friend said so."),
        ("I told Ida *privately* that it was.", "I told Ida privately that it was."),
        ("I whispered to Ida yesterday.", "I whispered to Ida yesterday."),
        ("I belong *to nobody*.", "I belong to nobody."),
        ("To be honest: no.", "To be honest: no."),
        ("To Ida, my dear friend, I say cheers.", "To Ida, my dear friend, I say cheers."),
    ],
)
def test_brackets_and_stress_inside_a_sentence_stay_innocent(raw: str, said: str) -> None:
    assert parse_reply(raw, THREE) == Action(kind=ActionKind.speak, text=said)


FORMS = [
    *(
        "({} {}) SAID",
        "[{} {}] SAID",
        "*{} {}* SAID",
        "*({} {})* SAID",
        "**({} {})** SAID",
        "_{} {}_ SAID",
        '"({} {}) SAID"',
    ),
    *(
        "SAID ({} {})",
        "Nadia ({} {}): SAID",
        "**Nadia ({} {}):** SAID",
        "Nadia, {} {}: SAID",
        "({} {}): SAID",
        "({} {})\nSAID",
    ),
    *(
        "[smiles] ({} {}) SAID",
        "(smiles, {} {}) SAID",
        "（{} {}）SAID",
        "{} {}: SAID",
        "- ({} {}) SAID",
        "`({} {})` SAID",
    ),
    *(
        "({} {}, smiling) SAID",
        "({} {} only) SAID",
        "({} {}, privately) SAID",
        "# ({} {})\nSAID",
        "|{} {}| SAID",
        "({} {}: SAID)",
    ),
]
HOW = [
    "to",
    "To",
    "quietly to",
    "whispers to",
    "privately to",
    "in a low voice to",
    "leans in and whispers to",
    "only to",
]
SOMEBODY = [
    "Idda",
    "idda",
    "Zed",
    "zed",
    "Ida Smith",
    "the waiter",
    "my sister",
    "him",
    "her",
    "herself",
    "Ida and Zed",
    "Bobby",
]


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_mark_lets_words_for_somebody_unknown_out(form: str) -> None:
    for how in HOW:
        for whom in SOMEBODY:
            raw = form.replace("SAID", SAID).format(how, whom)
            assert isinstance(parse_reply(raw, THREE), UnresolvedAddressee), raw


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_mark_is_known(form: str) -> None:
    for how in HOW:
        for whom in ("Ida", "ida", "Ida Holm", "the friend", "my friend Ida", "Ms. Holm"):
            raw = form.replace("SAID", SAID).format(how, whom)
            act = parse_reply(raw, THREE)
            assert isinstance(act, Action), raw
            assert act.to == ("friend",), raw


def test_several_people_can_be_told() -> None:
    for raw in (
        "(to Bob and Ida) Hi.",
        "(to Bob & the friend) Hi.",
        "(to Bob, Ida) Hi.",
        "Nadia (to Bob and to Ida): Hi.",
    ):
        assert parse_reply(raw, THREE) == Action(
            kind=ActionKind.speak, text="Hi.", to=("buyer", "friend")
        )


def test_one_mark_twice_is_one_mark() -> None:
    action = Action(kind=ActionKind.speak, text="Hi. Come later.", to=("friend",))
    assert parse_reply("(to Ida) Hi. (to the friend) Come later.", THREE) == action
    assert parse_reply("Nadia (to Ida): Hi.\nCome later. (to Ida)", THREE) == action


def test_private_acts_stay_private() -> None:
    def does(kind: ActionKind, text: str) -> Action:
        return Action(kind=kind, text=text, to=("friend",))

    assert parse_reply("(to Ida) [nods]", THREE) == does(ActionKind.non_verbal, "nods")
    told = "whispers to Ida that my floor is 60"
    assert parse_reply(f"[{told}]", THREE) == does(ActionKind.non_verbal, told)
    slid = "secretly slides a note to Ida"
    assert parse_reply(f"[{slid}]", THREE) == does(ActionKind.action, slid)
    assert parse_reply("(to Ida) Bye. [leaves]", THREE) == does(ActionKind.leave, "Bye.")


def test_a_mark_alone_says_nothing() -> None:
    for raw in ("(to Ida)", "[whispers to Ida]", "*to Ida*", "Nadia (to Ida):", "（对Ida说）"):
        assert parse_reply(raw, THREE) is None


@pytest.mark.parametrize(
    "raw",
    ["(to Bob) Hi.", "(to him) Hi.", "(to you) Hi.", "(to the buyer) Hi.", "[whispers to Bob] Hi."],
)
def test_at_a_table_of_two_the_other_is_meant(raw: str) -> None:
    assert parse_reply(raw, TWO) == Action(kind=ActionKind.speak, text="Hi.", to=("buyer",))


@pytest.mark.parametrize(
    "raw", ["(whispers) Hi.", "*whispers* Hi.", "(privately) Hi.", "Nadia (whispering): Hi."]
)
def test_at_a_table_of_two_nobody_else_could_hear_a_whisper(raw: str) -> None:
    assert parse_reply(raw, TWO) == Action(kind=ActionKind.speak, text="Hi.")


def test_at_a_table_of_two_a_wrong_name_is_still_asked_about() -> None:
    assert parse_reply("(to Idda) Hi.", TWO) == UnresolvedAddressee(
        reason="it is not clear who is meant by '(to Idda)'"
    )


def test_a_seat_alone_has_nobody_to_whisper_to() -> None:
    action = Action(kind=ActionKind.speak, text="Hi.")
    assert parse_reply("(to Ida) Hi.", PeopleNames(own=("Nadia",), others={})) == action


def test_people_may_be_called_what_they_are() -> None:
    known = at_table(
        Relationship.acquaintance, seller="Nadia Brandt", buyer="Bob Okafor", guard="Ida Holm"
    )
    assert parse_reply("(to the nurse) Hi.", known) == Action(
        kind=ActionKind.speak, text="Hi.", to=("buyer",)
    )
    assert parse_reply("(to the guard) Hi.", known) == Action(
        kind=ActionKind.speak, text="Hi.", to=("guard",)
    )
    # Both are acquaintances, so the word names nobody.
    assert isinstance(parse_reply("(to the acquaintance) Hi.", known), UnresolvedAddressee)
    friend = at_table(Relationship.friend, seller="Nadia Brandt", buyer="Bob Okafor")
    assert parse_reply("(to my friend) Hi.", friend) == Action(
        kind=ActionKind.speak, text="Hi.", to=("buyer",)
    )


def test_a_name_that_two_have_names_nobody() -> None:
    names = at_table(seller="Nadia Brandt", buyer="Ann Holm", friend="Ida Holm", guard="Ann Lee")
    assert names.others["Ann (Buyer)"] == "buyer"
    assert isinstance(parse_reply("(to Ann) Hi.", names), UnresolvedAddressee)
    assert isinstance(parse_reply("(to Holm) Hi.", names), UnresolvedAddressee)
    hi = Action(kind=ActionKind.speak, text="Hi.", to=("buyer",))
    for raw in (
        "(to Ann (Buyer)) Hi.",
        "(to Ann Holm) Hi.",
        "(to the buyer) Hi.",
        "Nadia (to Ann (Buyer)): Hi.",
    ):
        assert parse_reply(raw, names) == hi


def test_every_part_of_a_name_may_be_used() -> None:
    names = at_table(
        a="Nadia",
        b='Dr. Strange: MD ("Steve")',
        c="Siobhán O'Malley-Ruiz",
        d="🦄 Holm",
        e="<img> Lee",
    )
    marks = {
        "Steve": "b",
        "Dr. Strange": "b",
        "Strange": "b",
        "O’Malley": "c",
        "Ruiz": "c",
        "o'malley-ruiz": "c",
    }
    marks |= {"🦄": "d", "🦄 Holm": "d", "<img>": "e", "Mr Lee": "e"}
    for called, seat in marks.items():
        act = Action(kind=ActionKind.speak, text="Hi.", to=(seat,))
        assert parse_reply(f"(to {called}) Hi.", names) == act, called


def test_letters_whose_case_is_special() -> None:
    names = at_table(a="Nadia", b="Jörg Groß", c="İpek Işık", d="Ida Kim")
    for called, seat in {"Groß": "b", "GROSS": "b", "İpek": "c", "Işık": "c", "JÖRG": "b"}.items():
        act = Action(kind=ActionKind.speak, text="Hi.", to=(seat,))
        assert parse_reply(f"(to {called}) Hi.", names) == act, called
    for called in ("ıda", "İda"):  # dotless, dotted
        assert isinstance(parse_reply(f"(to {called}) Hi.", names), UnresolvedAddressee), called


def test_seats_and_names_that_are_little_words() -> None:
    names = at_table(a="Nadia Brandt", b="The Old Man", the="Will May", c="Ana de la Cruz")
    assert isinstance(parse_reply("(to a friend) Hi.", names), UnresolvedAddressee)
    for raw in ("(to the left) Hi.", "(to be honest) Hi."):
        assert parse_reply(raw, names) == Action(kind=ActionKind.speak, text="Hi."), raw
    for raw, seat in (
        ("(to the man) Hi.", "b"),
        ("(to Will) Hi.", "the"),
        ("(to Cruz) Hi.", "c"),
        ("(to B) Hi.", "b"),
    ):
        assert parse_reply(raw, names) == Action(kind=ActionKind.speak, text="Hi.", to=(seat,)), raw
    strangers = at_table(Relationship.stranger, b="Nadia", a="Bob", c="Ida")
    assert parse_reply("(to A) Hi.", strangers) == Action(
        kind=ActionKind.speak, text="Hi.", to=("a",)
    )
    assert isinstance(parse_reply("(to a friend) Hi.", strangers), UnresolvedAddressee)


def test_strangers_are_known_by_their_roles_alone() -> None:
    names = at_table(
        Relationship.stranger, seller="Nadia Brandt", buyer="Bob Okafor", friend="Ida Holm"
    )
    assert parse_reply("(to the Friend) Hi.", names) == Action(
        kind=ActionKind.speak, text="Hi.", to=("friend",)
    )
    assert isinstance(parse_reply("(to Ida) Hi.", names), UnresolvedAddressee)


def test_labels_with_brackets_of_their_own() -> None:
    names = at_table(seller="Ann Brandt", buyer="Ann Okafor", friend="Ida Holm")
    hi = Action(kind=ActionKind.speak, text="Hi.", to=("friend",))
    for raw in (
        "Ann (Seller) (to Ida): Hi.",
        "Ann (Seller): (to Ida) Hi.",
        "**Ann (Seller) (to Ida):** Hi.",
    ):
        assert parse_reply(raw, names) == hi


def test_the_reason_names_the_mark() -> None:
    assert parse_reply("(to Idda) Hi.", THREE) == UnresolvedAddressee(
        reason="it is not clear who is meant by '(to Idda)'"
    )
    assert parse_reply("Hi. (to Ida) Ho.", THREE) == UnresolvedAddressee(
        reason="one part of it is for other people than another"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\ufffd \ufffd[31m \u202e **Nadia (to Ida):** It is sixty.", "It is sixty."),
        ("\x00\x1b[1m*leans to Ida and whispers* It is sixty.", "It is sixty."),
        ("Well **Nadia (to Ida):** It is sixty.", None),
        ("Well *leans to Ida and whispers* It is sixty.", None),
        ("Well _(to Ida)_ it is sixty.", None),
    ],
)
def test_what_stands_before_a_mark_does_not_make_it_public(text: str, expected: str | None) -> None:
    reply = parse_reply(text, at_table(a="Nadia", b="Ida", c="Bob"))
    if expected is None:
        assert isinstance(reply, UnresolvedAddressee)
    else:
        assert reply == Action(kind=ActionKind.speak, text=expected, to=("b",))


@pytest.mark.parametrize(
    "text",
    ["She said it in a *whisper*.", "I would *never* whisper to Ida.", "It is *really* his."],
)
def test_a_word_that_is_stressed_is_no_mark(text: str) -> None:
    reply = parse_reply(text, at_table(a="Nadia", b="Ida", c="Bob"))
    assert reply == Action(kind=ActionKind.speak, text=text.replace("*", ""))


ROLES = [
    "(إلى العمدة)", "(إلى رئيس البلدية)", "(للعمدة)", "（村長に）", "（社長さんへ）", "（给村长）", "（对村长说）",
    "(zum Bürgermeister)",
    "(an den Chef)", "(zur Nachbarin)", "(für meine Tante)", "(au maire)", "(à la voisine)", "(pour le patron)", "(à son oncle)",
    "(al alcalde)", "(a la vecina)", "(para el jefe)",
]  # fmt: skip
THINGS = [
    "(إلى اليسار)", "(إلى حد ما)", "（窓に）", "（先に）", "（一緒に）", "（给钱）",
    "(zum Fenster)", "(zum Glück)", "(zur Not)", "(au revoir)",
    "(à la fenêtre)", "(au fond)", "(à sa place)", "(al fondo)", "(a la derecha)", "(para la próxima)",
]  # fmt: skip


@pytest.mark.parametrize("mark", ROLES)
def test_a_role_that_nobody_has_is_nobody_in_every_language(mark: str) -> None:
    names = at_table(seller="Nadia", ida="Ida", bob="Bob")
    assert isinstance(parse_reply(f"{mark} 60.", names), UnresolvedAddressee)


@pytest.mark.parametrize("words", THINGS)
def test_a_place_or_a_phrase_is_no_role(words: str) -> None:
    names = at_table(seller="Nadia", ida="Ida", bob="Bob")
    reply = parse_reply(f"{words} 60.", names)
    assert isinstance(reply, Action)
    assert reply.to == ()
