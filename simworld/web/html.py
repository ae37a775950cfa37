"""Pages as HTML: one Jinja environment in which every text is escaped and made harmless before it
is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from simworld.core.counts import counted
from simworld.core.text import harmless
from simworld.language.act_text import privacy_words
from simworld.web import numbers
from simworld.web.links import link
from simworld.web.titles import scenario_title

NAVIGATION = (
    ("/", "Runs"),
    ("/tournament/standings", "Standings"),
    ("/tournament/compare", "Compare"),
    ("/scenario/list", "Scenarios"),
    ("/episode/list", "Episodes"),
    ("/episode/search", "Search"),
    ("/train/list", "Training"),
    ("/db/query", "SQL"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseHeading:
    """The database, as the head of a page names it."""

    full: str

    @property
    def name(self) -> str:
        """Its last part."""
        return self.full.rstrip("/").rsplit("/", 1)[-1]


def make_environment() -> Environment:
    """The templates of this package, with the functions and filters that they use."""
    templates = Environment(
        loader=PackageLoader("simworld.web"),
        autoescape=True,
        finalize=harmless_value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    templates.filters |= {
        "count": numbers.format_count,
        "counted": counted,
        "figure": numbers.format_number,
        "signed": numbers.format_signed,
        "bounds": numbers.format_rating_interval,
        "percent": numbers.format_percent,
        "when": format_time,
        "bdi": isolate_direction,
        "titled": scenario_title,
        "short": lambda id_: str(id_)[:10],
    }
    templates.globals |= {"link": link, "navigation": NAVIGATION, "only_to": privacy_words}
    return templates


def render_page(templates: Environment, template: str, values: Mapping[str, Any]) -> str:
    """A page as text."""
    return templates.get_template(template).render(values)


def harmless_value(value: Any) -> Any:
    """What stands on the page for a value: nothing for None, texts made harmless; the environment
    escapes them.
    """
    if value is None:
        return ""
    return harmless(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def isolate_direction(value: object) -> Markup:
    """A text that people or models wrote, within a line: in its own direction, whatever stands
    around it.
    """
    return (
        Markup("")
        if value is None
        else Markup('<bdi dir="auto">{}</bdi>').format(harmless(str(value)))
    )


def format_time(moment: datetime | None) -> Markup:
    """A time to the minute, UTC."""
    if moment is None:
        return Markup("–")
    stamp = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    return Markup(
        '<time datetime="{}" title="{:%Y-%m-%d %H:%M:%S} UTC">{:%Y-%m-%d %H:%M}</time>'
    ).format(stamp, moment, moment)
