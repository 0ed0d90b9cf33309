"""Searching: exactness against brute force, and what a reader may never find."""

from knowledge.database import Database
from knowledge.search import Search
from tests.search_corpus import Page, add


async def test_a_word_of_the_question_finds_its_chunk(database: Database) -> None:
    ids = await add(database, [Page("Holidays are 30 days."), Page("Expenses need a receipt.")])
    hits = await Search(database).search("how many holidays", frozenset({"everyone"}))
    assert [hit.chunk_id for hit in hits] == ids[:1]
