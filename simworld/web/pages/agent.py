"""Agents: who plays, by the content of its spec."""

from __future__ import annotations

import json

from simworld.core.errors import InputError
from simworld.web.desk import Desk
from simworld.web.given import Given, NotHere
from simworld.web.page import Page
from store import Store

RECENT = 20


def show(desk: Desk, store: Store, given: Given) -> Page:
    """One agent: its resolved spec and what it played last."""
    try:
        agent = store.agent(given.part("id"))
    except InputError as error:
        raise NotHere(error.problems) from None
    return Page(
        template="agent_show.html",
        title=f"Agent {agent.name}",
        values={
            "agent": agent,
            "spec": json.dumps(agent.spec, indent=1, ensure_ascii=False),
            "recent": store.summaries(agent=agent.id, limit=RECENT)[::-1],
        },
    )
