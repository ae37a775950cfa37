"""What small models write, and the act each reply means."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.replies import Names, parse_reply, similarity
from simworld.core.episode import Action, ActionKind
from simworld.core.visibility import observe
from simworld.testing import example_observations, example_scenario

NAMES = Names(
    own=("Nadia Brandt", "seller", "Nadia"),
    others={"Buyer": "buyer", "Clerk": "clerk", "Tomas Okafor": "buyer", "Ann (Doctor)": "doctor"},
)
LEAVE, NONE = Action(kind=ActionKind.leave), Action(kind=ActionKind.none)


def says(text: str, *to: str) -> Action:
    return Action(kind=ActionKind.speak, text=text, to=to)


def gesture(text: str, *to: str) -> Action:
    return Action(kind=ActionKind.non_verbal, text=text, to=to)


def does(text: str, *to: str) -> Action:
    return Action(kind=ActionKind.action, text=text, to=to)


def leaves(text: str = "", *to: str) -> Action:
    return Action(kind=ActionKind.leave, text=text, to=to)


SEVENTY = says("Seventy euros.")
TABLE: dict[str, list[tuple[str, Action | None]]] = {
    "plain": [
        ("Seventy euros.", SEVENTY),
        ("  Seventy\n  euros. ", SEVENTY),
        ("Here is my offer: seventy.", says("Here is my offer: seventy.")),
        ("Meet me at 10:30.", says("Meet me at 10:30.")),
        ("I'm not sure it's hers.", says("I'm not sure it's hers.")),
        ("My name is Nadia.", says("My name is Nadia.")),
        ("One thing: Nadia is my name.", says("One thing: Nadia is my name.")),
        ("a_b_c costs 5 * 3 * 2 euros", says("a_b_c costs 5 * 3 * 2 euros")),
        ("Sí, ¡claro que sí!", says("Sí, ¡claro que sí!")),
        ("七十ユーロです。", says("七十ユーロです。")),
        ("Семьдесят евро.", says("Семьдесят евро.")),
        ("😀 Sure!", says("😀 Sure!")),
        ("👍", says("👍")),
        ("I'm sad :(", says("I'm sad :(")),
        ("- Seventy euros.", SEVENTY),
        ("> Seventy euros.", SEVENTY),
    ],
    "own name": [
        ("Nadia: Seventy euros.", SEVENTY),
        ("Nadia:\nSeventy euros.", SEVENTY),
        ("**Nadia:** Seventy euros.", SEVENTY),
        ("**Nadia**: Seventy euros.", SEVENTY),
        ("[Nadia]: Seventy euros.", SEVENTY),
        ("NADIA: Seventy euros.", SEVENTY),
        ("Nadia: Nadia: Seventy euros.", SEVENTY),
        ("Seller: Seventy euros.", SEVENTY),
        ('Nadia Brandt: "Seventy euros."', SEVENTY),
        ('Nadia said: "Seventy euros."', SEVENTY),
        ('Nadia says, "Seventy euros."', SEVENTY),
        ("Nadia replied: Seventy euros.", SEVENTY),
        ("Nadia (smiling): Seventy euros.", SEVENTY),
        ("Nadia *smiling*: Seventy euros.", SEVENTY),
    ],
    "quotes": [
        ('"Seventy euros."', SEVENTY),
        ("“Seventy euros.”", SEVENTY),
        ("'Seventy euros.'", SEVENTY),
        ("‘Seventy euros.’", SEVENTY),
        ("«Seventy euros.»", SEVENTY),
        ("'I'm not sure.'", says("I'm not sure.")),
        ('"Seventy euros.', SEVENTY),
        ("“Seventy euros.", SEVENTY),
        ('Seventy euros."', SEVENTY),
        ('He said "no" to me.', says('He said "no" to me.')),
        ('"Yes" and "no".', says('"Yes" and "no".')),
        ('"Seventy euros," said Nadia.', SEVENTY),
        ('"Don\'t go," she said. "Please."', says("Don't go. Please.")),
        ('"No," she said, "never."', says("No, never.")),
    ],
    "stage directions": [
        ("[nods]", gesture("nods")),
        ("*nods*", gesture("nods")),
        ("**nods**", gesture("nods")),
        ("_nods_", gesture("nods")),
        ("(smiles)", gesture("smiles")),
        ("*sighs* *looks away*", gesture("sighs, looks away")),
        ("Nadia: [nods]", gesture("nods")),
        ("Nadia nods.", gesture("nods")),
        ("[hands over the ticket]", does("hands over the ticket")),
        ("*counts out seventy euros*", does("counts out seventy euros")),
        ("[nods", gesture("nods")),
        ("*puts the ticket away", does("puts the ticket away")),
        ("[nods] Seventy euros.", SEVENTY),
        ("Seventy euros. [She smiles]", SEVENTY),
        ("*smiles* “Seventy euros.”", SEVENTY),
        ("Seventy euros [shrugs].", SEVENTY),
        ("Seventy euros. [hands over the", SEVENTY),
        ("Seventy euros. *nods", SEVENTY),
        ("That is *really* good.", says("That is really good.")),
        ("Seventy, *sighs* maybe.", says("Seventy, maybe.")),
        ("[Buyer nods]", None),
        ("Seventy euros. (Buyer nods)", SEVENTY),
    ],
    "leaving and silence": [
        ("[leaves]", LEAVE),
        ("[Leaves.]", LEAVE),
        ("[leave]", LEAVE),
        ("*walks away*", LEAVE),
        ("(exits the shop)", LEAVE),
        ("[hangs up]", LEAVE),
        ("Nadia: [leaves for good]", LEAVE),
        ("[she slowly walks out]", LEAVE),
        ("[gets up and leaves]", LEAVE),
        ("[leaves the room]", LEAVE),
        ("Nadia leaves.", LEAVE),
        ("Goodbye then. [leaves]", leaves("Goodbye then.")),
        ("... [leaves]", LEAVE),
        ("[leaves the bag on the table]", does("leaves the bag on the table")),
        ("[leaves her a note]", does("leaves her a note")),
        ("[refuses to leave]", does("refuses to leave")),
        ("[watches as he leaves]", does("watches as he leaves")),
        ("[Buyer leaves]", None),
        ("Seventy euros.\n[Buyer leaves]", SEVENTY),
        ("I'm leaving tomorrow.", says("I'm leaving tomorrow.")),
        ("[says nothing]", NONE),
        ("(stays silent)", NONE),
        ("[silence]", NONE),
    ],
    "running on as somebody else": [
        ("Seventy euros.\nBuyer: Sixty.", SEVENTY),
        ("Seventy euros.\n\nTomas Okafor: Sixty.", SEVENTY),
        ("Seventy euros. Buyer: Sixty. Nadia: Fine.", SEVENTY),
        ("Seventy euros.\nBUYER: Sixty.", SEVENTY),
        ("Seventy euros.\n**Buyer:** Sixty.", SEVENTY),
        ("Seventy euros.\n[Buyer]: Sixty.", SEVENTY),
        ("Seventy euros.\nBuyer (to Nadia): Sixty.", SEVENTY),
        ("Seventy euros.\nAnn (Doctor): Sixty.", SEVENTY),
        ("Seventy euros.\nNadia: Eighty.", SEVENTY),
        ("Nadia: Seventy euros.\nBuyer: Sixty.\nNadia: Fine.", SEVENTY),
        ("Buyer: Sixty.", None),
        ("The buyer is late.", says("The buyer is late.")),
        ("Seventy euros.<|im_end|>\n<|im_start|>user", SEVENTY),
        ("Seventy euros.</s>", SEVENTY),
        ("<think>Hm, Buyer: rich.</think>Seventy euros.", SEVENTY),
        ("<think>I could ask for", None),
    ],
    "private": [
        ("(to Buyer) Seventy euros.", says("Seventy euros.", "buyer")),
        ("(to Buyer and Clerk) Seventy euros.", says("Seventy euros.", "buyer", "clerk")),
        ("(To buyer, clerk & Ann): Seventy euros.", says("Seventy euros.", "buyer", "clerk")),
        ("[whispers to Tomas Okafor] Seventy euros.", says("Seventy euros.", "buyer")),
        ("(to the Buyer, privately) Seventy euros.", says("Seventy euros.", "buyer")),
        ("(to Ann (Doctor)) Seventy euros.", says("Seventy euros.", "doctor")),
        ("Nadia (to Buyer): Seventy euros.", says("Seventy euros.", "buyer")),
        ("Nadia: (to Buyer) Seventy euros.", says("Seventy euros.", "buyer")),
        ("Nadia, to Buyer: Seventy euros.", says("Seventy euros.", "buyer")),
        ('(to Buyer) "Seventy euros."', says("Seventy euros.", "buyer")),
        ("(to Buyer) [nods]", gesture("nods", "buyer")),
        ("(to Buyer) [slides a note over]", does("slides a note over", "buyer")),
        ("(to Buyer) Goodbye. [leaves]", leaves("Goodbye.", "buyer")),
        ("(to Mayor) Seventy euros.", SEVENTY),  # nobody of that name: said to all
        ("(to Nadia) Seventy euros.", SEVENTY),  # to oneself
        ("(nods to Buyer) Seventy euros.", SEVENTY),  # a nod is no whisper
        ("I gave it to Buyer (the tall one).", says("I gave it to Buyer.")),
        ("(to Buyer)", None),
    ],
}
UNUSABLE = [
    *("", "   ", "\n\n", "...", "—", "?!", "*", "[]", "[ ]", "[_]", "()", '""', "“”", "''", "_", "- "),
    *("Nadia:", "**Nadia:**", "Nadia: ...", 'Nadia: ""', "[Nadia]:", "<|im_end|>"),
]
ROWS = [(group, raw, action) for group, rows in TABLE.items() for raw, action in rows]


@pytest.mark.parametrize(("group", "raw", "action"), ROWS, ids=[f"{group}: {raw[:30]}" for group, raw, _ in ROWS])
def test_what_a_reply_means(group: str, raw: str, action: Action | None) -> None:
    assert parse_reply(raw, NAMES) == action


@pytest.mark.parametrize("raw", UNUSABLE)
@pytest.mark.parametrize("cut", [False, True])
def test_where_nothing_usable_is_left(raw: str, cut: bool) -> None:
    assert parse_reply(raw, NAMES, cut=cut) is None


@pytest.mark.parametrize(
    ("raw", "action"),
    [
        ("Seventy is my last word. I could perhaps be", says("Seventy is my last word.")),
        ("Really? No! I could perhaps", says("Really? No!")),
        ("“Seventy is fine.” And then", says("“Seventy is fine.”")),
        ('"Seventy is fine. And then', says("Seventy is fine.")),
        ("Seventy is my last", says("Seventy is my last")),  # nothing whole to fall back on
        ("Well, at 10.50 euros I", says("Well, at 10.50 euros I")),  # a point inside a number ends nothing
        ("Seventy. [hands over the", says("Seventy.")),
        ("[hands over the", does("hands over the")),
        ("Nadia: Seventy. Buyer: Six", says("Seventy.")),
        ("Seventy is my last word.", says("Seventy is my last word.")),
    ],
)
def test_a_reply_that_was_cut_loses_its_half_sentence(raw: str, action: Action) -> None:
    assert parse_reply(raw, NAMES, cut=True) == action


def test_a_finished_reply_keeps_what_looks_like_a_half_sentence() -> None:
    assert parse_reply("Seventy. Take it or", NAMES) == says("Seventy. Take it or")


def test_a_seat_alone_has_nobody_to_run_on_as() -> None:
    assert parse_reply("Buyer: Sixty.", Names(own=("Nadia",), others={})) == says("Buyer: Sixty.")


def test_names_come_from_what_the_seat_knows() -> None:
    host = Names.of(observe(example_scenario(), "host", (), 0, 0))
    assert set(host.own) == {"Ann Lee", "Ann", "host"}
    assert host.others == {"Bo": "guest", "Bo Ek": "guest", "Cleo": "neighbour", "Cleo Fox": "neighbour"}
    assert host.own[0] == "Ann Lee"  # the longest first, so that `Ann Lee:` loses all of it


PIECES = st.sampled_from(
    [
        *(
            "Nadia",
            "Buyer",
            "Ann (Doctor)",
            "(to Buyer)",
            "(to Nadia)",
            "leaves",
            "nods",
            "said",
            "and",
            "to",
            "Hello.",
        ),
        *(":", "[", "]", "(", ")", "*", "**", "_", '"', "“", "”", "'", "\n", " ", "…", ",", "-", "👍", "ß", "1.5"),
        *("<|", "<think>", "</think>"),
    ]
)
RAW = st.one_of(
    st.text(max_size=60), st.lists(PIECES, max_size=14).map("".join), st.lists(PIECES, max_size=9).map(" ".join)
)


@settings(max_examples=400, deadline=None)
@given(raw=RAW, cut=st.booleans())
@example(raw="[_]", cut=False)
@example(raw="Nadia: (to Nadia) [nods", cut=True)
def test_any_text_gives_an_act_that_the_engine_takes(raw: str, cut: bool) -> None:
    for names in (NAMES, Names.of(example_observations()[0])):
        action = parse_reply(raw, names, cut=cut)
        if action is None:
            continue
        if action.kind in {ActionKind.speak, ActionKind.non_verbal, ActionKind.action}:
            assert action.text.strip()
        assert action.text == " ".join(action.text.split())
        assert set(action.to) <= set(names.others.values())
        assert len(set(action.to)) == len(action.to)


@settings(max_examples=300, deadline=None)
@given(
    words=st.lists(st.text(alphabet="abcdefghijklmnopqrstuvwxyzäéøß", min_size=1, max_size=8), min_size=1, max_size=12)
)
def test_plain_words_come_back_as_they_are(words: list[str]) -> None:
    text = f"Well, {' '.join(words)}."
    assert parse_reply(text, NAMES) == says(text)


@pytest.mark.parametrize(
    "raw",
    [
        "(" * 4000,
        "[" * 4000,
        "*" * 4000,
        "Nadia " * 4000,
        "a *b " * 2000,
        '"' * 4001,
        "- " * 4000,
        "Hi" + "\n" * 9000 + "x",
    ],
)
@pytest.mark.timeout(20)
def test_a_degenerate_reply_is_read_in_reasonable_time(raw: str) -> None:
    parse_reply(raw, NAMES)


@pytest.mark.parametrize(
    ("text", "earlier", "share"),
    [
        ("I want it now", ["I want it now"], 1.0),
        ("I WANT it, now!", ["i want it now"], 1.0),
        ("I want it now", ["I want it, but later"], 2 / 3),  # (I want) (want it) of three pairs
        ("I want it now", ["I want you", "want it now"], 2 / 3),  # the best single line, not their sum
        ("I want it now", ["something else here"], 0.0),
        ("Yes", ["yes."], 1.0),
        ("Yes", ["Yes indeed"], 0.0),
        ("Yes, no, no, no", [], 1 / 3),  # (no no) comes again within the line
        ("No, no, no, no, no", [], 3 / 4),
        ("a b a b", ["b a"], 2 / 3),  # (a b) once new; (b a) was said; the second (a b) was said in the line
        ("", ["anything at all"], 0.0),
        ("I want it now", [], 0.0),
    ],
)
def test_how_much_was_said_before(text: str, earlier: list[str], share: float) -> None:
    assert similarity(text, earlier) == pytest.approx(share)
