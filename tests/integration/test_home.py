"""The Home tab and the suggested questions, in the playground and with a real Postgres."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import text

from bot.arrival import Identity
from bot.home import Home, Prompt
from bot.playground.seed import LAYLA, NORA, SAM
from bot.playground.server import Playground
from bot.texts import Texts
from knowledge.database import Database

ACLS = {1: ["everyone"], 2: ["user:T:SAM"]}


@dataclass
class Opened:
    """A playground and the home of its app."""

    playground: Playground
    home: Home

    def shown(self, user: str) -> str:
        view = self.playground.workspace.views.homes[user]
        return str(view.content)


async def fill(database: Database) -> None:
    """Two documents for everyone, one for Sam; one source that was synced."""
    async with database.indexer.begin() as connection:
        for principals in ACLS.values():
            values = {"principals": principals}
            found = await connection.execute(
                text("INSERT INTO acl (principals) VALUES (:principals) RETURNING id"), values
            )
            acl = found.scalar_one()
            for principal in principals:
                await connection.execute(
                    text("INSERT INTO acl_principal VALUES (:principal, :acl)"),
                    {"principal": principal, "acl": acl},
                )
        await connection.execute(
            text(
                "INSERT INTO source (name, kind, location, principals, options, created_at, "
                "synced_at) VALUES ('h', 'folder', '/h', '{everyone}', '{}', now(), now())"
            )
        )
        for number, acl in enumerate(("everyone", "everyone", "user:T:SAM")):
            await connection.execute(
                text(
                    "INSERT INTO document (source_id, key, title, language, media_type, "
                    "content_hash, acl_id, indexed_at) SELECT s.id, :key, 'D', 'en', 't', 'h', "
                    "p.acl_id, now() FROM source s, acl_principal p WHERE p.principal = :acl"
                ),
                {"key": str(number), "acl": acl},
            )


@pytest.fixture
async def opened(database: Database) -> AsyncIterator[Opened]:
    async with Playground() as playground:
        client = AsyncWebClient(playground.bot_token, base_url=playground.api_url)
        workspace = playground.workspace
        us = Identity(workspace.team_id, workspace.bot.id, workspace.bot_id)

        async def readers_alone(user: str) -> frozenset[str]:
            return frozenset({"everyone", "user:T:SAM"} if user == SAM else {"everyone"})

        async def language_of(user: str) -> str:
            return "ar" if user == LAYLA else "en"

        home = Home(database, client, us, readers_alone=readers_alone, language_of=language_of)
        yield Opened(playground, home)


def event(user: str, **changes: Any) -> dict[str, Any]:
    return {"user": user, "tab": "home", **changes}


async def test_the_home_tab_counts_what_the_person_may_read(
    opened: Opened, database: Database
) -> None:
    await fill(database)
    assert await opened.home.opened(event(NORA)) == "shown"
    await opened.home.opened(event(SAM))
    assert "Documents that you may read: *2*" in opened.shown(NORA)
    assert "Documents that you may read: *3*" in opened.shown(SAM)
    assert "Last brought up to date: <!date^" in opened.shown(NORA)
    assert "👍 0  👎 0" in opened.shown(NORA)


async def test_the_home_tab_speaks_the_persons_language(opened: Opened, database: Database) -> None:
    await fill(database)
    await opened.home.opened(event(LAYLA))
    assert Texts.of("ar").get("home_title") in opened.shown(LAYLA)
    assert Texts.of("ar").get("prompt_1") in opened.shown(LAYLA)


async def test_without_documents_the_home_tab_says_so_and_suggests_nothing(opened: Opened) -> None:
    await opened.home.opened(event(NORA))
    assert Texts.of("en").get("home_no_documents") in opened.shown(NORA)
    assert "home_prompt" not in opened.shown(NORA)


async def test_a_sample_question_goes_into_the_direct_message(
    opened: Opened, database: Database
) -> None:
    await fill(database)
    await opened.home.opened(event(NORA))
    view = opened.playground.workspace.views.homes[NORA]
    await opened.playground.click_in_view(NORA, view.id, "home_prompt_2")
    payload = opened.playground.delivered("block_actions")[0].payload
    arrival = await opened.home.pressed(payload)
    assert arrival is not None
    direct = await opened.playground.open_dm(NORA)
    [message] = opened.playground.messages(direct.id)
    assert arrival.payload["text"] == Texts.of("en").get("prompt_2")
    assert (arrival.payload["channel"], arrival.payload["ts"]) == (direct.id, message.ts)
    assert (arrival.payload["user"], arrival.payload["via"]) == (NORA, "direct")
    assert message.text.startswith("> How do I get my travel expenses back?")


async def test_other_buttons_are_no_questions(opened: Opened) -> None:
    payload = {"user": {"id": NORA}, "actions": [{"action_id": "answer_feedback", "value": "x"}]}
    assert await opened.home.pressed(payload) is None


async def test_questions_are_suggested_where_the_messages_are_opened(opened: Opened) -> None:
    direct = await opened.playground.open_dm(NORA)
    assert await opened.home.opened(event(NORA, tab="messages", channel=direct.id)) == "suggested"
    prompts = opened.playground.workspace.agents.prompts[direct.id]
    assert [prompt["title"] for prompt in prompts["prompts"]] == ["Time off", "Expenses", "IT help"]


async def test_a_slack_without_suggestions_is_asked_once(opened: Opened) -> None:
    direct = await opened.playground.open_dm(NORA)
    faults = opened.playground.workspace.faults
    faults.remove_method("assistant.threads.setSuggestedPrompts")
    messages = event(NORA, tab="messages", channel=direct.id)
    assert await opened.home.opened(messages) == "ignored"
    faults.restore_method("assistant.threads.setSuggestedPrompts")
    assert await opened.home.opened(messages) == "ignored"


async def test_a_companys_own_questions_replace_the_samples(opened: Opened) -> None:
    opened.home._prompts = (Prompt("Cars", "May I have a company car?"),)
    direct = await opened.playground.open_dm(NORA)
    await opened.home.opened(event(NORA, tab="messages", channel=direct.id))
    prompts = opened.playground.workspace.agents.prompts[direct.id]["prompts"]
    assert prompts == [{"title": "Cars", "message": "May I have a company car?"}]
