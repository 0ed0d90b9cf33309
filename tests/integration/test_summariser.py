"""Summaries that a chat model writes, over a real socket."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from knowledge.generation import load_chat_model
from knowledge.parsing import Page, ParsedDocument
from knowledge.summariser import Summariser
from knowledge.summary import SUMMARY_WORDS, summarise
from tests.openai_server import ANSWER, KEY, serve

PAGES = (Page(None, "All about hot desks. They are booked in the portal."),)
DESKS = ParsedDocument("Desks", PAGES)


async def summary_by(model: str) -> tuple[str, str]:
    """What a model of the test server writes, and what it was asked."""
    with serve() as server:
        loaded = load_chat_model(model, Path(), base_url=server.url, api_key=SecretStr(KEY))
        summariser = Summariser(loaded)
        try:
            return await summariser(DESKS, "en"), str(server.bodies[-1:])
        finally:
            await summariser.close()


async def test_a_summary_is_written_by_the_model_and_kept_short() -> None:
    written, asked = await summary_by("good")
    assert written == " ".join(ANSWER.split()[:SUMMARY_WORDS])
    assert "All about hot desks." in asked


@pytest.mark.parametrize("model", ["forbidden", "overloaded"])
async def test_where_the_model_fails_the_beginning_stands_for_it(model: str) -> None:
    written, _ = await summary_by(model)
    assert (
        written == summarise(PAGES, "en") == "All about hot desks. They are booked in the portal."
    )
