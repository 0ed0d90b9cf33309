"""Approved answers: who finds which, before anything is generated."""

from sqlalchemy import text

from knowledge.database import Database
from knowledge.verified import Source, VerifiedAnswers
from tests.hashing_embedder import HashingEmbedder

QUESTION = "How many days of sick leave do I get?"


async def approved(database: Database) -> VerifiedAnswers:
    """One answer, approved for Nora alone."""
    async with database.indexer.begin() as connection:
        acl_id = (
            await connection.execute(
                text("INSERT INTO acl (principals) VALUES ('{user:T:NORA}') RETURNING id")
            )
        ).scalar_one()
        await connection.execute(
            text("INSERT INTO acl_principal VALUES ('user:T:NORA', :acl_id)"), {"acl_id": acl_id}
        )
    answers = VerifiedAnswers(database, HashingEmbedder())
    await answers.approve(
        QUESTION,
        "Ten days a year.",
        approver="user:T:SAM",
        acl_id=acl_id,
        sources=[Source("Sick leave", "https://docs.example/sick")],
    )
    return answers


async def test_the_same_question_finds_the_approved_answer_with_its_sources(
    database: Database,
) -> None:
    answers = await approved(database)
    found = await answers.find(QUESTION, "en", frozenset({"user:T:NORA"}))
    assert found is not None
    assert (found.answer, found.approver) == ("Ten days a year.", "user:T:SAM")
    assert found.sources == (Source("Sick leave", "https://docs.example/sick"),)


async def test_another_question_finds_nothing(database: Database) -> None:
    answers = await approved(database)
    other = "How many days of parental leave do I get?"
    assert await answers.find(other, "en", frozenset({"user:T:NORA"})) is None


async def test_whoever_may_not_read_its_sources_does_not_find_it(database: Database) -> None:
    answers = await approved(database)
    assert await answers.find(QUESTION, "en", frozenset({"everyone"})) is None
