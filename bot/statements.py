"""This package's SQL files, read into statements for psycopg."""

from pathlib import Path

from knowledge.statements import read_statements


def statements(file: str) -> dict[str, bytes]:
    """The statements of a file beside this one, by name. Bytes: psycopg asks for text of ours."""
    named = read_statements(Path(__file__).with_name(file))
    return {name: sql.encode() for name, sql in named.items()}
