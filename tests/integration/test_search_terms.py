"""Terms of chunks, as the database computes them."""

from sqlalchemy import text

from knowledge.database import Database
from knowledge.languages import CONFIGURATIONS
from knowledge.postings import TermSource, postings


async def keys(database: Database, configuration: str, lexemes: list[str]) -> list[int]:
    async with database.indexer.begin() as connection:
        rows = await connection.execute(
            text("SELECT term_key(:name, lexeme) FROM unnest(CAST(:lexemes AS text[])) AS lexeme"),
            {"name": configuration, "lexemes": lexemes},
        )
        return [row[0] for row in rows]


async def test_terms_are_counted_stems_of_each_chunks_own_language(database: Database) -> None:
    sources = [
        TermSource("The holidays, a holiday; VPN", "en"),
        TermSource("notre congé", "fr"),
        TermSource("", "en"),
        TermSource("休暇の休暇 VPN", "ja"),
    ]
    async with database.indexer.begin() as connection:
        english, french, empty, japanese = await postings(connection, sources)
    holiday, vpn = await keys(database, "english", ["holiday", "vpn"])
    assert (dict(english.frequencies), english.length) == ({holiday: 2, vpn: 1}, 3)
    assert list(french.frequencies) == await keys(database, "french", ["cong"])
    assert (dict(empty.frequencies), empty.length) == ({}, 0)
    pairs = await keys(database, "simple", ["休暇", "暇の", "の休", "vpn"])
    assert dict(japanese.frequencies) == dict(zip(pairs, [2, 1, 1, 1], strict=True))


async def test_a_lexeme_has_one_key_a_configuration_for_ever(database: Database) -> None:
    """Postings on a disk were made with these keys: a change must come with a re-indexing."""
    assert await keys(database, "english", ["holiday"]) != await keys(
        database, "simple", ["holiday"]
    )
    assert await keys(database, "english", ["holiday"]) == [7408314311354474073]


async def test_every_configuration_of_ours_exists_on_the_server(database: Database) -> None:
    async with database.indexer.begin() as connection:
        rows = await connection.execute(text("SELECT cfgname::text FROM pg_ts_config"))
        assert set(CONFIGURATIONS.values()) <= {row[0] for row in rows}


async def test_no_chunks_have_no_terms(database: Database) -> None:
    async with database.indexer.begin() as connection:
        assert await postings(connection, []) == []
