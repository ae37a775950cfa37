"""Conversations in the seven languages, played by scripted agents and by models of a small server,
checked and judged."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from starlette.testclient import TestClient

from agents.replies.people_names import PeopleNames
from agents.replies.reply_parsing import parse_reply
from simworld.cli import cli
from simworld.core.episode import Act, Action, ActionKind
from simworld.core.scenario import Persona, Relationship, Scenario, Seat
from simworld.core.visibility import observe, omniscient_labels
from simworld.language import Language, load_language
from simworld.web.app import make_app
from simworld.web.report_file import make_report
from store import Store, open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """What is said in one language."""

    people: tuple[str, str, str]
    seats: tuple[str, str, str]
    setting: str
    offer: str  # of 70 euros
    stolen: str  # a line that the first seat writes for the second
    whisper: str
    role: str  # the mark of a whisper to the first seat, by its role
    nod: str
    deal: str  # agrees, and names 65
    agreed: str  # the word that shows it
    number: str
    goodbye: str


TALKS = {
    "ar": Talk(
        people=("نادية براندت", "السيد طارق عمر", "ليلى حسن"), seats=("بائعة", "مشتر", "صديقة"),
        setting="شباك التذاكر مغلق.", offer="أبيع التذكرة بسبعين يورو، أي 70 يورو.", stolen="هذا كثير.",
        whisper="معي ٦٥ فقط.", role="(إلى البائعة)",
        nod="[إيماءة بالرأس]", deal="اتّفقنا على ٦٥ يورو.", agreed="اتفقنا", number=r"(\d+) يورو",
        goodbye="شكرًا، مع السلامة.",
    ),
    "de": Talk(
        people=("Frau Nadia Brandt", "Tomas Öztürk", "Lena Groß"), seats=("verkäuferin", "käufer", "freundin"),
        setting="Die Kasse ist zu.", offer="Ich will 70 Euro für die Karte.", stolen="Das ist zu viel.",
        whisper="Ich habe nur 65 dabei.", role="(zur Verkäuferin)",
        nod="[nickt]", deal="Abgemacht, für 65,00 Euro.", agreed="abgemacht",
        number=r"([\d.,]+) Euro", goodbye="Danke, auf Wiedersehen.",
    ),
    "en": Talk(
        people=("Mrs. Nadia Brandt", "Tomas Okafor", "Lena Gross"), seats=("seller", "buyer", "friend"),
        setting="The box office has closed.", offer="I want 70 euros for the ticket.", stolen="That is too much.",
        whisper="I have only 65 with me.", role="(to the seller)",
        nod="[nods]", deal="It's a deal, for 65 euros.", agreed="deal",
        number=r"(\d+) euros", goodbye="Thank you, goodbye.",
    ),
    "es": Talk(
        people=("Sra. Nadia Brandt", "Tomás Rivas", "Lena Peña"), seats=("vendedora", "comprador", "amiga"),
        setting="La taquilla ha cerrado.", offer="Pido 70 euros por la entrada.", stolen="Es demasiado.",
        whisper="Solo llevo 65 encima.", role="(a la vendedora)",
        nod="[asiente]", deal="¡Trato hecho, por 65 euros!", agreed="trato hecho",
        number=r"(\d+) euros", goodbye="Gracias, adiós.",
    ),
    "fr": Talk(
        people=("Mme Nadia Brandt", "Thomas Lefèvre", "Léna Petit"), seats=("vendeuse", "acheteur", "amie"),
        setting="Le guichet est fermé.", offer="Je veux 70 euros pour ce billet.", stolen="C'est trop.",
        whisper="Je n'ai que 65 sur moi.", role="(à la vendeuse)",
        nod="[hoche la tête]", deal="D’accord, pour 65 euros.", agreed="d'accord",
        number=r"(\d+) euros", goodbye="Merci, au revoir.",
    ),
    "ja": Talk(
        people=("田中花子", "山田太郎", "鈴木"), seats=("売り手", "買い手", "友だち"),
        setting="券売所はもう閉まっている。", offer="このチケットを70ユーロで売ります。", stolen="高すぎます。",
        whisper="65しか持っていません。", role="（売り手さんにだけ）",
        nod="（うなずく）", deal="では６５ユーロで決まりですね。", agreed="決まり",
        number=r"(\d+)ユーロ", goodbye="ありがとう、さようなら。",
    ),
    "zh": Talk(
        people=("小红", "小明", "老王"), seats=("卖家", "买家", "朋友"),
        setting="售票处已经关门。", offer="这张票我卖七十，也就是70欧元。", stolen="太贵了。",
        whisper="我只带了65。", role="（对卖家说）",
        nod="（点头）", deal="好，那就65欧元，我们成交吧。", agreed="成交",
        number=r"(\d+)欧元", goodbye="谢谢，再见。",
    ),
}  # fmt: skip


def scenario_of(code: str) -> dict[str, Any]:
    talk = TALKS[code]
    return {
        "name": f"ticket-{code}",
        "language": code,
        "setting": talk.setting,
        "relationship": "friend",
        "seats": [
            {
                "name": seat,
                "persona": {"name": name, "age": 30},
                "goal": talk.setting,
                "secret": f"{talk.setting} {i}",
            }
            for i, (seat, name) in enumerate(zip(talk.seats, talk.people, strict=True))
        ],
        "limits": {"turns": 6},
        "checks": [
            {"name": "deal", "kind": "keyword", "words": [talk.agreed]},
            {
                "name": "price",
                "kind": "number",
                "pattern": talk.number,
                "last": True,
                "between": [65, 65],
            },
            {"name": "stolen", "kind": "keyword", "words": [talk.stolen], "ends": True},
        ],
    }


def labels_of(code: str) -> list[str]:
    seats = scenario_of(code)["seats"]
    scenario = Scenario(
        name="x", setting="", seats=tuple(Seat(name=s["name"], persona=Persona(name=s["persona"]["name"]), goal="") for s in seats)
    )  # fmt: skip
    return list(omniscient_labels(scenario).values())


def whispered(words: Language, names: list[str], text: str) -> str:
    return words.acts.private.format(
        to=words.acts.to.format(names=words.acts.comma.join(names)), text=text
    )


def replies(code: str, *, by_role: bool = False) -> list[str]:
    """What the seats write, turn by turn; the whisper is for a name, or for a role."""
    talk, words, (first, second, _) = TALKS[code], load_language(code), labels_of(code)
    return [
        f"{words.speaker_label(first)} {talk.offer}\n{words.speaker_label(second)} {talk.stolen}",
        f"{talk.role} {talk.whisper}" if by_role else whispered(words, [first], talk.whisper),
        talk.nod,
        talk.deal,
        words.acts.after.format(text=talk.goodbye, deed=words.acts.leaves),
        f"[{words.acts.says_nothing}]",
    ]


def expected(code: str) -> list[Act]:
    talk = TALKS[code]
    one, two, three = talk.seats
    return [
        Act(seat=one, action=Action(kind=ActionKind.speak, text=talk.offer)),
        Act(seat=two, action=Action(kind=ActionKind.speak, text=talk.whisper, to=(one,))),
        Act(seat=three, action=Action(kind=ActionKind.non_verbal, text=talk.nod[1:-1])),
        Act(seat=one, action=Action(kind=ActionKind.speak, text=talk.deal)),
        Act(seat=two, action=Action(kind=ActionKind.leave, text=talk.goodbye)),
        Act(seat=three, action=Action(kind=ActionKind.none)),
    ]


@dataclass(slots=True, kw_only=True)
class Server:
    """An OpenAI-compatible server whose model `player` says what is due and whose model `judge`
    fills the schema."""

    due: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    address: str = ""

    def answer(self, request: Mapping[str, Any]) -> str:
        self.asked.append(dict(request))
        if request["model"] == "player":
            return self.due.pop(0)
        return json.dumps(
            _filled(request["response_format"]["json_schema"]["schema"]), ensure_ascii=False
        )


def _filled(schema: Mapping[str, Any]) -> Any:
    if "properties" in schema:
        return {name: _filled(inner) for name, inner in schema["properties"].items()}
    return "so" if schema.get("type") == "string" else 7


@pytest.fixture
def server() -> Iterator[Server]:
    fake = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(
                {
                    "object": "list",
                    "data": [
                        {"id": "player", "object": "model"},
                        {"id": "judge", "object": "model"},
                    ],
                }
            )

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            message = {"role": "assistant", "content": fake.answer(request)}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            self._send(
                {
                    "id": "1",
                    "object": "chat.completion",
                    "created": 0,
                    "model": request["model"],
                    "choices": [choice],
                    "usage": usage,
                }
            )

        def _send(self, data: Mapping[str, Any]) -> None:
            body = json.dumps(data).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        fake.address = f"http://127.0.0.1:{http.server_port}/v1"
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield fake
        http.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, data: Mapping[str, Any]) -> str:
    Path(name).write_text(yaml.safe_dump(dict(data), allow_unicode=True), encoding="utf-8")
    return name


def command(*args: str) -> None:
    done = CliRunner().invoke(cli, [*args, "--db", "sqlite:///played.db"])
    assert done.exit_code == 0, (done.output, done.exception)


def check_played(code: str, store: Store) -> None:
    (played,) = store.episodes()
    assert played.episode.failure is None
    assert [Act(seat=act.seat, action=act.action) for act in played.episode.acts] == expected(code)
    assert store.scenario(played.episode.scenario_id).language == code
    deal, price, stolen = played.episode.checks
    # what one seat wrote for another was never said, and ended nothing
    assert stolen.holds is False
    assert (deal.holds, deal.turn) == (True, 3)
    assert (price.holds, price.value) == (True, 65.0)


def play_scripted(code: str) -> None:
    lines, talk = replies(code), TALKS[code]
    casts: list[str] = []
    for i, seat in enumerate(talk.seats):
        file = write(
            f"agent-{i}.yaml", {"name": f"agent-{i}", "kind": "scripted", "lines": lines[i::3]}
        )
        casts += ["--cast", f"{seat}={file}"]
    write("ticket.yaml", scenario_of(code))
    command("run", "ticket.yaml", *casts)


@pytest.mark.parametrize("code", TALKS)
def test_scripted_agents_play_in_every_language(folder: Path, code: str) -> None:
    play_scripted(code)
    with open_store("sqlite:///played.db") as store:
        check_played(code, store)


# What a whisper, a departure and silence look like to people; on pages without the brackets.
SEEN = {
    "ar": ("السيد طارق عمر (إلى نادية براندت فقط): معي ٦٥ فقط.",
           "[مغادرة: شكرًا، مع السلامة.]", "[صمت]"),
    "de": ("Tomas Öztürk (nur zu Frau Nadia Brandt): Ich habe nur 65 dabei.",
           "[geht: Danke, auf Wiedersehen.]", "[schweigt]"),
    "en": ("Tomas Okafor (only to Mrs. Nadia Brandt): I have only 65 with me.",
           "[leaves: Thank you, goodbye.]", "[does nothing]"),
    "es": ("Tomás Rivas (solo a Sra. Nadia Brandt): Solo llevo 65 encima.",
           "[se va: Gracias, adiós.]", "[no dice nada]"),
    "fr": ("Thomas Lefèvre (à Mme Nadia Brandt seulement) : Je n'ai que 65 sur moi.",
           "[s'en va : Merci, au revoir.]", "[ne dit rien]"),
    "ja": ("山田太郎（田中花子だけに）：65しか持っていません。",
           "[立ち去る：ありがとう、さようなら。]", "[黙っている]"),
    "zh": ("小明（只对小红说）：我只带了65。",
           "[离开：谢谢，再见。]", "[沉默]"),
}  # fmt: skip


@pytest.mark.parametrize("code", TALKS)
def test_transcripts_are_shown_in_the_scenarios_language(folder: Path, code: str) -> None:
    play_scripted(code)
    with open_store("sqlite:///played.db") as store:
        (played,) = store.episodes()
        report = make_report(store, played.summary.run)
    shown = (
        CliRunner()
        .invoke(cli, ["episode", "show", played.id, "--db", "sqlite:///played.db"])
        .output
    )
    with TestClient(make_app("sqlite:///played.db"), base_url="http://127.0.0.1:8137") as client:
        page = client.get(f"/episode/show/{played.id}").text
    whisper, leaves, silence = SEEN[code]
    assert all(line in shown for line in (whisper, leaves, silence))
    for html in (page, report):
        assert f'<ol class="transcript" lang="{code}">' in html
        _, transcript = html.split('<ol class="transcript"')
        text = unescape(re.sub(r"<[^>]*>", "", transcript.split("</ol>")[0]))
        assert leaves[1:-1] in text
        assert silence[1:-1] in text
        if code != "en":
            assert not re.search("only to|leaves|does nothing", text)
            assert not re.search("only to|leaves|does nothing", shown)
    mark = re.sub(
        "[()（）]", "", whisper.split(TALKS[code].people[1])[1].split(TALKS[code].whisper)[0]
    ).rstrip(" :：")
    assert mark.strip() in unescape(re.sub(r"<[^>]*>", "", page))


@pytest.mark.parametrize("prompt", ["chat", "script"])
@pytest.mark.parametrize("code", TALKS)
def test_models_play_and_a_model_judges_in_every_language(
    folder: Path, server: Server, code: str, prompt: str
) -> None:
    talk, words = TALKS[code], load_language(code)
    first, second, third = labels_of(code)
    server.due = replies(code, by_role=prompt == "script")
    agent = {
        "name": "player",
        "model": f"openai:player@{server.address}",
        "prompt": prompt,
        "max_similarity": 1,
    }
    rubric = {
        "name": "r",
        "dimensions": [{"name": "calm", "range": [0, 10], "question": "How calm was {name}?"}],
    }
    judge = {
        "name": "j",
        "model": f"openai:judge@{server.address}",
        "method": "server",
        "rubric": write("r.yaml", rubric),
    }
    write("ticket.yaml", scenario_of(code))
    command("run", "ticket.yaml", "--cast", f"*={write('player.yaml', agent)}")
    command("judge", "run", "--judge", write("judge.yaml", judge))
    with open_store("sqlite:///played.db") as store:
        check_played(code, store)
        (played,) = store.episodes()
        (stored,) = store.judgements(played.id)
        assert {(v.seat, v.score) for v in stored.judgement.verdicts} == {
            (seat, 7.0) for seat in talk.seats
        }
        version = played.episode.acts[0].generation
        assert version is not None
        assert version.prompt_version.partition("+")[2].partition(".")[0] == (
            "2" if code == "en" else code
        )

    *turns, judging = [
        " ".join(str(m["content"]) for m in request["messages"]) for request in server.asked
    ]
    assert len(turns) == 6
    assert [talk.whisper in turn for turn in turns] == [
        False,
        False,
        False,
        True,
        True,
        False,
    ]  # its own words, and told
    assert f"{words.acts.to.format(names=first)}" in turns[3]
    assert f"[{words.acts.leaves}]" in turns[5]
    assert talk.people[0] in turns[0]
    assert talk.stolen not in " ".join(turns)
    (lines,) = [m["content"] for m in server.asked[-1]["messages"] if m["role"] == "user"]
    judged = words.judge
    for line in (
        judged.line.format(who=first, text=talk.offer),
        judged.private_line.format(who=second, names=first, text=talk.whisper),
        judged.line.format(who=third, text=f"*{talk.nod[1:-1]}*"),
        judged.line.format(
            who=second, text=f"{talk.goodbye}{judged.between_sentences}*{judged.leaves}*"
        ),
        judged.cut_off,
        judged.between.format(
            one=first, other=second, relation=judged.relations[Relationship.friend]
        ),
    ):
        assert line in lines.split("\n"), line
    assert judging


@pytest.mark.parametrize("code", TALKS)
def test_a_reply_is_read_by_the_marks_that_prompts_show(code: str) -> None:
    words, talk = load_language(code), TALKS[code]
    seats = tuple(
        Seat(name=seat, persona=Persona(name=name), goal="G")
        for seat, name in zip(talk.seats, talk.people, strict=True)
    )
    pairs = {
        (a, b): Relationship.friend for i, a in enumerate(talk.seats) for b in talk.seats[i + 1 :]
    }
    scenario = Scenario(name="x", setting="S", seats=seats, relationships=pairs, language=code)
    names = PeopleNames.of(observe(scenario, talk.seats[0], (), 0, 0))
    first, second, third = labels_of(code)
    for to in ([second], [third], [second, third]):
        wanted = Action(
            kind=ActionKind.speak,
            text=talk.whisper,
            to=tuple(talk.seats[labels_of(code).index(n)] for n in to),
        )
        mark = words.acts.to.format(names=words.acts.comma.join(to))
        assert parse_reply(whispered(words, to, talk.whisper), names) == wanted
        assert (
            parse_reply(
                words.acts.private_line.format(who=first, to=mark, text=talk.whisper), names
            )
            == wanted
        )
    for prompt in (words.prompts.chat_system if words.prompts else "[nods] [leaves]",):
        nod, leave = [part.split("]")[0] for part in prompt.split("[")[1:]]
        assert parse_reply(f"[{nod}]", names) == Action(kind=ActionKind.non_verbal, text=nod)
        assert parse_reply(f"[{leave}]", names) == Action(kind=ActionKind.leave)
        assert leave == words.acts.leaves


@pytest.mark.parametrize("name", ["成交", "اتفقنا-على-السعر", "決まり", "d-accord-à-2", "ข้อตกลง"])
def test_a_check_may_be_named_in_any_script(folder: Path, name: str) -> None:
    lines = replies("zh")
    for i in range(3):
        write(f"agent-{i}.yaml", {"name": f"agent-{i}", "kind": "scripted", "lines": lines[i::3]})
    scenario = scenario_of("zh")
    scenario["checks"] = [{"name": name, "kind": "keyword", "words": ["成交"], "ends": True}]
    write("ticket.yaml", scenario)
    casts = [f"--cast={seat}=agent-{i}.yaml" for i, seat in enumerate(TALKS["zh"].seats)]
    command("run", "ticket.yaml", *casts, "--name", "x")

    def output(*args: str) -> str:
        done = CliRunner().invoke(cli, [*args, "--db", "sqlite:///played.db"])
        assert done.exit_code == 0, (done.output, done.exception)
        return done.stdout

    (listed,) = json.loads(output("episode", "list", "--json"))
    assert (listed["ending"], listed["reason"]) == ("terminated", f"check:{name}")
    assert (
        json.loads(output("episode", "show", listed["id"], "--json"))["checks"][0]["name"] == name
    )
    assert re.search(
        rf"^{name} +yes +成交 +4$", output("episode", "show", listed["id"]), re.MULTILINE
    )
    sql = (
        "SELECT c.name, c.holds, e.reason FROM checks c JOIN episodes e ON e.id = c.episode_id"
        f" WHERE c.name = '{name}'"
    )
    assert json.loads(output("db", "query", sql, "--json")) == [
        {"name": name, "holds": True, "reason": f"check:{name}"}
    ]
    with TestClient(make_app("sqlite:///played.db"), base_url="http://127.0.0.1:8137") as client:
        for path in (
            f"/episode/show/{listed['id']}",
            f"/scenario/show/{listed['scenario_id']}",
            "/run/show/x",
        ):
            assert f'<bdi dir="auto">{name}</bdi>' in client.get(path).text.replace("check:", ""), (
                path
            )
