"""The pages in a real browser: light and dark, wide and narrow, by keyboard, with hostile texts,
and the report from disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request

from simworld.web.links import link
from simworld.web.report_file import make_report
from store import open_store
from tests.factories.hostile_texts import HOSTILE
from tests.factories.languages import ARABIC, CHINESE
from tests.factories.web_episodes import BROKEN, SCRIPT

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text("utf-8")
SERIOUS = ("serious", "critical")
FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex='0']"
NARROW = 390  # pixels: a phone


@pytest.fixture(scope="module")
def addresses(small: str) -> dict[str, str]:
    """Every page of a real tournament, by name."""
    with open_store(small) as store:
        scenario, *_ = store.run_scenarios("small")
        steered = store.episode_summaries(agent="smol-numbers", limit=1)[0].id
        failed = store.episode_summaries(agent="smol-numbers-td3bc")[0].id
        agent = store.run_agents("small")["smol-numbers"]
        training = store.training_runs()[0].name
    return {
        "runs": "/",
        "run": "/run/show/small",
        "standings": "/tournament/standings?run=small&measure=goal",
        "compare": "/tournament/compare?run=small&first=smol-script&second=smol-numbers",
        "scenarios": "/scenario/list",
        "scenario": f"/scenario/show/{scenario}",
        "episodes": "/episode/list?run=small&agent=smol-numbers",
        "episode": f"/episode/show/{steered}?made=1",
        "seat": (
            f"/episode/show/{steered}?seat=buyer"
            if _is_ticket(small, steered)
            else f"/episode/show/{steered}"
        ),
        "failed": f"/episode/show/{failed}",
        "agent": f"/agent/show/{agent}",
        "search": "/episode/search?text=the+cake",
        "trainings": "/train/list",
        "training": link("/train/show", training),
        "query": "/db/query?sql=SELECT+*+FROM+episode_scores&limit=100",
        "database": "/db/info",
        "mistake": "/episode/list?ending=lost",
        "nothing": "/nothing",
    }


def _is_ticket(url: str, episode: str) -> bool:
    with open_store(url) as store:
        return any(seat.seat == "buyer" for seat in store.episode(episode).summary.seats)


@contextmanager
def watched(
    context: BrowserContext, origin: str, *, expected: tuple[str, ...] = ()
) -> Iterator[Page]:
    """A page on which nothing may go wrong: no error, no dialog, no request elsewhere."""
    faults: list[str] = []
    page = context.new_page()

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(
            expected or ("\0",)
        ):
            faults.append(f"console: {message.text}")

    def on_dialog(dialog: Dialog) -> None:
        faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def on_request(request: Request) -> None:
        if not request.url.startswith(origin):
            faults.append(f"request: {request.url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("dialog", on_dialog)
    page.on("request", on_request)
    yield page
    page.close()
    assert faults == []


def violations(page: Page, *rules: str) -> list[str]:
    """What axe-core finds that keeps people out, by all its rules or by some."""
    page.evaluate(AXE)
    options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    found: list[dict[str, Any]] = page.evaluate(
        "(options) => axe.run(options).then((r) => r.violations)", options
    )
    return [
        f"{one['id']}: {node['html'][:150]}"
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"][:3]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_usable_and_quiet(
    browser: Browser, small_site: str, addresses: dict[str, str], scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    faults = {}
    # the browser itself reports on its console that an answer was no success
    with watched(context, small_site, expected=("Failed to load resource",)) as page:
        for name, path in addresses.items():
            response = page.goto(small_site + path)
            assert response is not None
            assert response.status == {"mistake": 400, "nothing": 404}.get(name, 200), name
            assert page.locator("h1").count() == 1, name
            faults[name] = violations(page, *(("color-contrast",) if scheme == "dark" else ()))
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 1280, name
    context.close()
    assert {name: found for name, found in faults.items() if found} == {}


def test_every_page_fits_a_phone(
    browser: Browser, small_site: str, addresses: dict[str, str]
) -> None:
    context = browser.new_context(viewport={"width": NARROW, "height": 844}, has_touch=True)
    page = context.new_page()
    too_wide = {}
    for name, path in addresses.items():
        page.goto(small_site + path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > NARROW:
            too_wide[name] = wide
    context.close()
    assert too_wide == {}


def test_the_whole_navigation_is_seen_on_a_phone(browser: Browser, small_site: str) -> None:
    page = browser.new_page(viewport={"width": 320, "height": 640})  # a small one
    page.goto(small_site)
    places = [link.bounding_box() for link in page.locator("nav[aria-label=Pages] a").all()]
    assert len(places) == 8
    for place in places:
        assert place is not None
        assert 0 <= place["x"] <= place["x"] + place["width"] <= 320
    assert page.evaluate(
        "document.querySelector('nav ul').scrollWidth <= document.querySelector('nav"
        " ul').clientWidth"
    )
    page.close()


def test_a_transcript_reads_from_where_its_language_begins(
    browser: Browser, world: str, world_site: str
) -> None:
    with open_store(world) as store:
        ids = {run: store.episode_summaries(run=run)[0].id for run in (ARABIC.run, CHINESE.run)}
    page = browser.new_page()
    for run, direction in ((ARABIC.run, "rtl"), (CHINESE.run, "ltr")):
        page.goto(f"{world_site}/episode/show/{ids[run]}")
        for line in page.locator(".act p").all():
            assert line.evaluate("line => getComputedStyle(line).direction") == direction
            # the name stands where the line begins
            line_place, name_place = line.bounding_box(), line.locator("b").bounding_box()
            assert line_place is not None
            assert name_place is not None
            begins = (
                line_place["x"] + line_place["width"] if direction == "rtl" else line_place["x"]
            )
            name = name_place["x"] + name_place["width"] if direction == "rtl" else name_place["x"]
            # … behind the stroke that marks a line as private, which stands there too
            inside = line.evaluate(
                "line => { const s = getComputedStyle(line);"
                " return parseFloat(s.borderInlineStartWidth) + parseFloat(s.paddingInlineStart) }"
            )
            private = "private" in (line.locator("xpath=ancestor::li").get_attribute("class") or "")
            assert (inside > 2) is private
            assert abs(abs(begins - name) - inside) < 2
        assert (
            page.locator("header nav").evaluate("nav => getComputedStyle(nav).direction") == "ltr"
        )
    for code, style in (("de", "italic"), ("ja", "normal"), ("zh", "normal"), ("ar", "normal")):
        page.evaluate(f"document.querySelector('.transcript').lang = '{code}'")
        words = page.locator(".act .words").first
        words.evaluate("words => words.closest('.act').classList.add('leave')")
        assert words.evaluate("words => getComputedStyle(words).fontStyle") == style
    page.close()


def test_light_and_dark_differ(browser: Browser, small_site: str) -> None:
    grounds = {}
    schemes: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
    for scheme in schemes:
        page = browser.new_page(color_scheme=scheme)
        page.goto(small_site)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        grounds[scheme] = sum(
            int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")
        )
        page.close()
    assert grounds["dark"] < 150 < 600 < grounds["light"]


def test_hostile_texts_stay_texts(browser: Browser, world: str, world_site: str) -> None:
    with open_store(world) as store:
        run = f"run/{BROKEN}"
        (episode,) = store.episode_summaries(run=run)
        agent = episode.seats[0].agent_id
        training = store.training_runs()[-1].name
    paths = [
        "/",
        link("/run/show", run),
        link("/tournament/standings", run=run),
        link("/tournament/compare", run=run),
        "/scenario/list",
        link("/scenario/show", HOSTILE.id),
        link("/episode/list", run=run),
        link("/episode/show", episode.id, made=1),
        link("/episode/show", episode.id, seat=f"one{SCRIPT}"),
        link("/agent/show", agent),
        link("/episode/search", text="script"),
        link("/train/show", training),
        link("/db/query", sql="SELECT * FROM transcripts WHERE run LIKE 'run/%'"),
        link("/episode/list", run=SCRIPT, agent=BROKEN),
    ]
    context = browser.new_context()
    with watched(context, world_site) as page:
        for path in paths:
            response = page.goto(world_site + path)
            assert response is not None
            assert response.status == 200, path
            assert page.title().endswith("simworld"), path
            assert page.locator("img").count() == 0, path
            assert page.locator("script").count() == 1, path
        page.goto(world_site + link("/episode/show", episode.id))
        said = page.locator(".words").all_inner_texts()
        assert said[:2] == [SCRIPT, BROKEN]
        assert said[2] == "before\\x1b[31m\\u202eafter\\x07"
    context.close()


def test_the_keyboard_reaches_everything(
    browser: Browser, small_site: str, addresses: dict[str, str]
) -> None:
    page = browser.new_page()
    for name in ("standings", "episode", "search", "query"):
        page.goto(small_site + addresses[name])
        # what is hidden inside closed details, and all but one of a group of radio buttons, are
        # rightly passed over
        wanted = page.evaluate(
            f"""[...document.querySelectorAll("{FOCUSABLE}")].filter((e) => e.checkVisibility()
                && !(e.type === 'radio' && !e.checked)).length"""
        )
        page.evaluate("window.reached = new Set()")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "To the content", name
        for _ in range(wanted):
            page.evaluate("window.reached.add(document.activeElement)")
            page.keyboard.press("Tab")
        assert page.evaluate("window.reached.size") == wanted, name
    page.close()


def test_the_content_is_one_key_away(browser: Browser, small_site: str) -> None:
    page = browser.new_page()
    page.goto(small_site)
    page.keyboard.press("Tab")
    assert page.locator(".skip").bounding_box()["height"] > 10  # type: ignore[index]
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.close()


def test_filters_are_in_the_address(browser: Browser, small_site: str) -> None:
    page = browser.new_page()
    page.goto(f"{small_site}/episode/list")
    page.get_by_label("Agent", exact=True).fill("smol-numbers")
    page.get_by_label("Ending", exact=True).select_option("failed")
    page.get_by_role("button", name="Show").click()
    assert page.url == f"{small_site}/episode/list?agent=smol-numbers&ending=failed"
    assert page.get_by_label("Agent", exact=True).input_value() == "smol-numbers"
    assert page.locator("tbody tr").count() == 1
    page.go_back()
    assert page.url == f"{small_site}/episode/list"
    page.goto(f"{small_site}/tournament/standings")
    page.get_by_label("Measure").select_option("secret")  # shown at once
    page.wait_for_url("**/tournament/standings?**measure=secret")
    assert page.locator("h2").first.inner_text() == "secret"
    page.close()


def test_a_query_is_sent_by_keyboard(browser: Browser, small_site: str) -> None:
    page = browser.new_page()
    page.goto(f"{small_site}/db/query")
    page.get_by_label("Query").fill("SELECT count(*) AS n FROM episodes")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**sql=**")
    assert page.locator("table.rows td").all_inner_texts() == ["48"]
    page.close()


def test_a_query_that_another_site_links_to_is_shown_and_not_run(
    browser: Browser, small_site: str
) -> None:
    page = browser.new_page()
    hostile = f'<a href="{small_site}/db/query?sql=SELECT+40%2B2">look</a>'
    page.route(
        "http://elsewhere.example/**",
        lambda route: route.fulfill(body=hostile, content_type="text/html"),
    )
    page.goto("http://elsewhere.example/")
    page.get_by_text("look").click()
    assert "it was not run" in page.get_by_role("alert").inner_text()
    page.get_by_role("button", name="Run").click()
    assert page.locator("table.rows td").all_inner_texts() == ["42"]
    page.close()


def test_without_scripts_everything_works(
    browser: Browser, small_site: str, addresses: dict[str, str]
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(small_site + addresses["standings"])
    page.get_by_label("Measure").select_option("secret")
    page.get_by_role("button", name="Show").click()
    assert "measure=secret" in page.url
    page.goto(small_site + addresses["episode"])
    page.locator("details.why summary").first.click()
    assert page.locator("details.why[open]").count() == 1
    context.close()


@pytest.mark.parametrize("name", ["small", "cup", f"run/{BROKEN}"])
def test_the_report_opens_from_disk_without_a_network(
    browser: Browser, small: str, world: str, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "report.html"
    with open_store(small if name == "small" else world, read_only=True) as store:
        file.write_text(make_report(store, name, max_bytes=400_000), "utf-8")
    assert 10_000 < file.stat().st_size <= 400_000
    context = browser.new_context(offline=True, viewport={"width": NARROW, "height": 844})
    with watched(context, file.as_uri()) as page:
        page.goto(file.as_uri())
        assert page.title().endswith("· simworld")
        page.locator("details.episode > summary").first.click()
        assert page.locator("details.episode[open] .transcript").is_visible()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW
        assert page.locator("script, img").count() == 0
    context.close()
