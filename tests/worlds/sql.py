"""A database file."""

import os
import sqlite3
from collections.abc import Mapping

from tests.worlds.world import World


class SqlWorld(World):
    """A table of rules in SQLite."""

    kind = "sql"
    tells_whole = True

    async def start(self) -> None:
        """Make the table."""
        os.environ["RULES_URL"] = f"sqlite:///{self.folder}/rules.sqlite"
        self._run("CREATE TABLE rule (name text PRIMARY KEY, said text, changed text)")

    async def close(self) -> None:
        """Put the environment back."""
        os.environ.pop("RULES_URL", None)

    @property
    def location(self) -> str:
        """The database's name."""
        return "rules"

    @property
    def options(self) -> Mapping[str, str]:
        """The query and the template."""
        return {
            "url": "env:RULES_URL",
            "query": "SELECT * FROM rule",
            "key": "name",
            "title": "Rule {name}",
            "body": "{said}",
            "modified": "changed",
        }

    async def put(self, name: str, text: str) -> None:
        """Write a row."""
        self._run("INSERT OR REPLACE INTO rule VALUES (?, ?, '2026-11-24 10:00:00')", name, text)

    async def remove(self, name: str) -> None:
        """Delete a row."""
        self._run("DELETE FROM rule WHERE name = ?", name)

    async def gone(self) -> None:
        """Take the file away."""
        (self.folder / "rules.sqlite").unlink()

    def _run(self, statement: str, *values: str) -> None:
        connection = sqlite3.connect(self.folder / "rules.sqlite")
        with connection:
            connection.execute(statement, values)
        connection.close()
