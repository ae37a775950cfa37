"""What small models write, and the act each reply means."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.replies.line_similarity import line_similarity
from agents.replies.people_names import PeopleNames
from agents.replies.privacy import UnresolvedAddressee
from agents.replies.reply_parsing import MAX_REPLY_CHARS, parse_reply
from simworld.core.episode import Action, ActionKind
from simworld.core.visibility import observe
from simworld.testing import example_observations, example_scenario

NAMES = PeopleNames(
    own=("Nadia Brandt", "seller", "Nadia"),
    others={"Buyer": "buyer", "Clerk": "clerk", "Tomas Okafor": "buyer", "Ann (Doctor)": "doctor"},
)
CHINESE = PeopleNames(own=("小红", "seller"), others={"小明": "buyer", "小丽": "friend"})
JAPANESE = PeopleNames(own=("ハナ", "seller"), others={"ケン": "buyer"})
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
    ],
    "thoughts": [
        ("<think>Hm, Buyer: rich.</think>Seventy euros.", SEVENTY),
        ("<think>I could ask for", None),
        ("I could go down to 60.</think>Seventy euros.", SEVENTY),
        ("I could go down to 60.</thinking>\n\nSeventy euros.", SEVENTY),
        ("Hm.</think>Sixty?</think>Seventy euros.", SEVENTY),
        ("<thinking>60?</thinking>Seventy euros.", SEVENTY),
        ("<THINK >60?</ think>Seventy euros.", SEVENTY),
        ("<think>a <think>b</think> 60? </think>Seventy euros.", SEVENTY),
        ("<think>60?</think>Seventy <think>60?</think>euros.", SEVENTY),
        ('<reasoning effort="low">60?</reasoning>Seventy euros.', SEVENTY),
        ("<seed:think>60?</seed:think>Seventy euros.", SEVENTY),
        ("<inner monologue>60?</inner monologue>Seventy euros.", SEVENTY),
        ("[THINK]60?[/THINK]Seventy euros.", SEVENTY),
        ("◁think▷60?◁/think▷Seventy euros.", SEVENTY),
        ("Seventy euros.<thinking>I could go", SEVENTY),
        ("<thinking>60?", None),
        ("Seventy? No, 60.</think>", None),
        ("<|channel|>analysis<|message|>I could go down to 60.", None),
        ("[thinks: I could go down to 60]", None),
        ("(inner monologue: 60 is my floor)", None),
        ("*thinking I could go down to 60*", None),
        ("[thinks]", gesture("thinks")),
        ("[thinks for a moment]", gesture("thinks for a moment")),
        ("I think 60 is low.", says("I think 60 is low.")),
        ("I <3 you.", says("I <3 you.")),
    ],
    "private": [
        ("(to Buyer) Seventy euros.", says("Seventy euros.", "buyer")),
        ("(to Buyer and Clerk) Seventy euros.", says("Seventy euros.", "buyer", "clerk")),
        (
            "(To buyer, clerk & Ann): Seventy euros.",
            says("Seventy euros.", "buyer", "clerk", "doctor"),
        ),
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
        ("(nods to Buyer) Seventy euros.", SEVENTY),  # a nod is no whisper
        ("I gave it to Buyer (the tall one).", says("I gave it to Buyer.")),
        ("(to Buyer)", None),
    ],
}
UNUSABLE = [
    *(
        "",
        "   ",
        "\n\n",
        "...",
        "—",
        "?!",
        "*",
        "[]",
        "[ ]",
        "[_]",
        "()",
        '""',
        "“”",
        "''",
        "_",
        "- ",
    ),
    *("Nadia:", "**Nadia:**", "Nadia: ...", 'Nadia: ""', "[Nadia]:", "<|im_end|>"),
]
ROWS = [(group, raw, action) for group, rows in TABLE.items() for raw, action in rows]


@pytest.mark.parametrize(
    ("group", "raw", "action"), ROWS, ids=[f"{group}: {raw[:30]}" for group, raw, _ in ROWS]
)
def test_what_a_reply_means(group: str, raw: str, action: Action | None) -> None:
    assert parse_reply(raw, NAMES) == action


@pytest.mark.parametrize(
    ("raw", "action"),
    [
        ("小红：这张票七十欧元。\n小明：太贵了。\n小红：好吧。", says("这张票七十欧元。")),
        ("小红：七十欧元。小明：六十。", says("七十欧元。")),
        ("小红:七十欧元。", says("七十欧元。")),
        ("小明：太贵了。", None),
        ("**小红：**七十欧元。", says("七十欧元。")),
        ("【小红】：七十欧元。\n【小明】：六十。", says("七十欧元。")),
        ("「小红」：七十欧元。", says("七十欧元。")),
        ("小红（微笑）：七十欧元。", says("七十欧元。")),
        ("小红说：「七十欧元。」", says("七十欧元。")),
        ("小红：小红：七十欧元。", says("七十欧元。")),
        ("我告诉小明：六十。", says("我告诉小明：六十。")),
        ("价格：七十欧元。", says("价格：七十欧元。")),
        ("（点头）", gesture("点头")),
        ("小红点头。", gesture("点头")),
        ("（把票递过去）", does("把票递过去")),
        ("【离开】", LEAVE),
        ("[离开]", LEAVE),
        ("（转身离开）", LEAVE),
        ("好吧，成交。［离开］", leaves("好吧，成交。")),
        ("（不想离开）", does("不想离开")),
        ("（看着他离开）", gesture("看着他离开")),
        ("（沉默）", NONE),
        ("（对小明）六十。", says("六十。", "buyer")),
        ("（悄悄对小明说）六十。", says("六十。", "buyer")),
        ("(to 小明) 六十。", says("六十。", "buyer")),
        ("小红（对小明）：六十。", says("六十。", "buyer")),
        ("小红对小明说：六十。", says("六十。", "buyer")),
        ("（对小明和小丽）六十。", says("六十。", "buyer", "friend")),
        ("（对大家）六十。", says("六十。")),
        (
            "（对小朋）六十。",
            UnresolvedAddressee(reason="it is not clear who is meant by '（对小朋）'"),
        ),
    ],
)
def test_full_width_labels_marks_and_directions(
    raw: str, action: Action | UnresolvedAddressee | None
) -> None:
    assert parse_reply(raw, CHINESE) == action


@pytest.mark.parametrize(
    ("raw", "action"),
    [
        ("ハナ：七十です。\nケン：高い。", says("七十です。")),
        ("ハナ「七十です。」", says("七十です。")),
        ("ケン「高い。」", None),
        ("（うなずく）", gesture("うなずく")),
        ("（立ち去る）", LEAVE),
        ("（ケンに小声で）六十です。", says("六十です。", "buyer")),
    ],
)
def test_japanese_labels_and_directions(raw: str, action: Action | None) -> None:
    assert parse_reply(raw, JAPANESE) == action


@pytest.mark.parametrize(
    ("nods", "leaving", "stays", "silent"),
    [
        ("nickt", "verlässt den Raum", "verlässt sich auf ihn", "schweigt"),
        ("hoche la tête", "quitte la pièce", "sort un billet de sa poche", "se tait"),
        ("asiente", "se va", "sale el sol", "guarda silencio"),
        ("点点头", "离开房间", "等他离开", "一言不发"),
        ("首を振る", "部屋を出る", "立ち去ろうとしない", "沈黙"),
        ("تومئ برأسها", "تغادر", "لا تغادر", "صمت"),
    ],
    ids=["de", "fr", "es", "zh", "ja", "ar"],
)
def test_directions_in_other_languages(nods: str, leaving: str, stays: str, silent: str) -> None:
    assert parse_reply(f"[{nods}]", NAMES) == gesture(nods)
    assert parse_reply(f"[{leaving}]", NAMES) == LEAVE
    assert parse_reply(f"*{leaving}*", NAMES) == LEAVE
    assert parse_reply(f"[{silent}]", NAMES) == NONE
    kept = parse_reply(f"[{stays}]", NAMES)
    assert isinstance(kept, Action)
    assert (kept.kind in {ActionKind.action, ActionKind.non_verbal}, kept.text) == (True, stays)


def test_marks_of_direction_and_composed_letters_hide_no_label() -> None:
    sara = PeopleNames(own=("سارة",), others={"عمر": "buyer"})
    assert parse_reply("\u200fسارة: مرحبا\n\u200fعمر: لا", sara) == says("مرحبا")
    rene = PeopleNames(own=("Ren\u00e9",), others={"Zo\u00e9": "buyer"})
    assert parse_reply("Rene\u0301: Oui.\nZoe\u0301: Non.", rene) == says("Oui.")


@pytest.mark.parametrize("raw", UNUSABLE)
@pytest.mark.parametrize("cut", [False, True])
def test_where_nothing_usable_is_left(raw: str, cut: bool) -> None:
    assert parse_reply(raw, NAMES, truncated=cut) is None


@pytest.mark.parametrize(
    ("raw", "action"),
    [
        ("Seventy is my last word. I could perhaps be", says("Seventy is my last word.")),
        ("Really? No! I could perhaps", says("Really? No!")),
        ("“Seventy is fine.” And then", says("“Seventy is fine.”")),
        ('"Seventy is fine. And then', says("Seventy is fine.")),
        ("Seventy is my last", says("Seventy is my last")),  # nothing whole to fall back on
        # a point inside a number ends nothing
        ("Well, at 10.50 euros I", says("Well, at 10.50 euros I")),
        ("Seventy. [hands over the", says("Seventy.")),
        ("[hands over the", does("hands over the")),
        ("Nadia: Seventy. Buyer: Six", says("Seventy.")),
        ("Seventy is my last word.", says("Seventy is my last word.")),
    ],
)
def test_a_reply_that_was_cut_loses_its_half_sentence(raw: str, action: Action) -> None:
    assert parse_reply(raw, NAMES, truncated=True) == action


def test_a_finished_reply_keeps_what_looks_like_a_half_sentence() -> None:
    assert parse_reply("Seventy. Take it or", NAMES) == says("Seventy. Take it or")


def test_a_seat_alone_has_nobody_to_run_on_as() -> None:
    assert parse_reply("Buyer: Sixty.", PeopleNames(own=("Nadia",), others={})) == says(
        "Buyer: Sixty."
    )


def test_names_come_from_what_the_seat_knows() -> None:
    host = PeopleNames.of(observe(example_scenario(), "host", (), 0, 0))
    assert set(host.own) == {"Ann Lee", "Ann", "host"}
    assert host.others == {
        "Bo": "guest",
        "Bo Ek": "guest",
        "Cleo": "neighbour",
        "Cleo Fox": "neighbour",
    }
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
        *(
            ":",
            "[",
            "]",
            "(",
            ")",
            "*",
            "**",
            "_",
            '"',
            "“",
            "”",
            "'",
            "\n",
            " ",
            "…",
            ",",
            "-",
            "👍",
            "ß",
            "1.5",
        ),
        *("<|", "<think>", "</think>"),
    ]
)
RAW = st.one_of(
    st.text(max_size=60),
    st.lists(PIECES, max_size=14).map("".join),
    st.lists(PIECES, max_size=9).map(" ".join),
)


@settings(max_examples=400, deadline=None)
@given(raw=RAW, cut=st.booleans())
@example(raw="[_]", cut=False)
@example(raw="Nadia: (to Nadia) [nods", cut=True)
def test_any_text_gives_an_act_that_the_engine_takes(raw: str, cut: bool) -> None:
    for names in (NAMES, PeopleNames.of(example_observations()[0])):
        action = parse_reply(raw, names, truncated=cut)
        if action is None or isinstance(action, UnresolvedAddressee):
            continue
        if action.kind in {ActionKind.speak, ActionKind.non_verbal, ActionKind.action}:
            assert action.text.strip()
        assert action.text == " ".join(action.text.split())
        assert set(action.to) <= set(names.others.values())
        assert len(set(action.to)) == len(action.to)


@settings(max_examples=300, deadline=None)
@given(
    words=st.lists(
        st.text(alphabet="abcdefghijklmnopqrstuvwxyzäéøß", min_size=1, max_size=8),
        min_size=1,
        max_size=12,
    )
)
def test_plain_words_come_back_as_they_are(words: list[str]) -> None:
    text = f"Well, {' '.join(words)}."
    assert parse_reply(text, NAMES) == says(text)


# Each is repeated to the longest reply that is read; what is quadratic anywhere takes minutes.
NASTY = [
    *(
        "(",
        "[",
        "*",
        "_",
        '"',
        "“",
        "'",
        "<",
        "{",
        "（",
        "【",
        "「",
        "\n",
        " ",
        ".",
        "!",
        ":",
        "：",
        "é",
        "点",
        "\u200f",
    ),
    *(
        "()",
        "(()",
        "((a)",
        "[](",
        "([{<",
        "(a",
        "[a ",
        "*a ",
        "a *b ",
        "_a_ ",
        "a (b) ",
        "<a> ",
        '"a" ',
        "- ",
        "a, ",
        "** ",
    ),
    *("<think>", "</think>", "<think", "[THINK]", "<|", "<|a|>", "</s>"),
    *(
        "Nadia: ",
        "Nadia ",
        "Nadia\n",
        "\nNadia:",
        "Nadia (",
        "Nadia (to ",
        "Nadia (to Buyer): a\n",
        '"Nadia ',
        "Nadia nods. ",
    ),
    *("Buyer ", "Buyer (", "Buyer (a) ", "a\nBuyer", "*Buyer*", "to Buyer: ", "To Buyer: a\n"),
    *(
        "to ",
        "(to Buyer) ",
        "(to Buyer",
        "(to Idda ",
        "(to Buyer: ",
        "(to Buyer's ",
        "to Buyer and ",
        ", to ",
        "/w Buyer\n",
    ),
    *(
        "whispers ",
        "(whisper) a ",
        '"a" she whispers ',
        "so a hears ",
        "only a a ",
        "said ",
        "leaves ",
        "ly ",
        "thinking: I ",
    ),
]


@pytest.mark.parametrize("piece", NASTY)
@pytest.mark.timeout(20)
def test_a_degenerate_reply_is_read_in_reasonable_time(piece: str) -> None:
    parse_reply("Hi\n" + piece * (2 * MAX_REPLY_CHARS // len(piece)), NAMES)


@pytest.mark.parametrize("start", ["(to Buyer, whispers ", '"', "(((((", "Nadia: "])
@pytest.mark.timeout(20)
def test_so_is_one_direction_that_goes_on_and_on(start: str) -> None:
    for piece in ("to ", "a ", ", to ", "(a) ", "Buyer, "):
        parse_reply(start + piece * (MAX_REPLY_CHARS // len(piece)) + ")))))", NAMES)


def test_what_is_beyond_the_longest_reply_is_dropped_as_where_a_model_was_cut() -> None:
    sentence = "It is seventy. "
    whole, rest = divmod(MAX_REPLY_CHARS, len(sentence))
    assert rest > 0  # the limit falls inside a sentence, which is dropped
    assert parse_reply(sentence * (whole + 9), NAMES) == says((sentence * whole).strip())
    assert parse_reply("a" * MAX_REPLY_CHARS, NAMES) == says("a" * MAX_REPLY_CHARS)


@pytest.mark.parametrize(
    ("text", "earlier", "share"),
    [
        ("I want it now", ["I want it now"], 1.0),
        ("I WANT it, now!", ["i want it now"], 1.0),
        ("I want it now", ["I want it, but later"], 2 / 3),  # (I want) (want it) of three pairs
        # the best single line, not their sum
        ("I want it now", ["I want you", "want it now"], 2 / 3),
        ("I want it now", ["something else here"], 0.0),
        ("Yes", ["yes."], 1.0),
        ("Yes", ["Yes indeed"], 0.0),
        ("Yes, no, no, no", [], 1 / 3),  # (no no) comes again within the line
        ("No, no, no, no, no", [], 3 / 4),
        # (a b) once new; (b a) was said; the second (a b) was said in the line
        ("a b a b", ["b a"], 2 / 3),
        ("", ["anything at all"], 0.0),
        ("I want it now", [], 0.0),
        ("我想要这张票", ["我想要那张票"], 3 / 5),  # 我想 想要 要这 这张 张票: 这 is in two of five
        ("我想要这张票", ["我想要这张票。"], 1.0),
        ("欲しいです", ["高いです"], 2 / 4),  # 欲し しい いで です
        ("我要 ticket 票", ["我要 ticket"], 2 / 3),  # (我 要) (要 ticket) of three
    ],
)
def test_how_much_was_said_before(text: str, earlier: list[str], share: float) -> None:
    assert line_similarity(text, earlier) == pytest.approx(share)
