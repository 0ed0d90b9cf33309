"""The rows of a query as documents: what a company keeps in a database."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, NullPool, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from knowledge.errors import SourceError
from knowledge.sources.kind import Kind, Options
from knowledge.sources.source import Change, Checkpoint, Skipped, SourceDocument

Row = Mapping[str, Any]

_ROWS = 500  # fetched at once: enough to be quick, few enough for wide rows
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
}


@dataclass(frozen=True, slots=True)
class Template:
    """What of a row goes where."""

    key: tuple[str, ...]
    title: str | None = None
    body: str | None = None
    link: str | None = None
    modified: str | None = None
    readers: str | None = None


@dataclass(frozen=True, slots=True)
class SqlSource:
    """Each row is a document in Markdown; all rows are told each time."""

    location: str
    url: URL = field(repr=False)
    query: str = ""
    template: Template = Template(key=())
    kind: str = "sql"

    async def changes(self, cursor: dict[str, Any] | None) -> AsyncIterator[Change]:
        """Every row, in the order of its key."""
        del cursor
        told = ""
        rows = self._batches()
        try:
            while batch := await asyncio.to_thread(next, rows, None):
                for row in batch:
                    change = self._one(row)
                    if change.key == told:
                        change = Skipped(change.key, "has the same key as the row before it")
                    told = change.key
                    yield change
        except SQLAlchemyError as error:
            raise self._explained(error) from error
        finally:
            await asyncio.to_thread(rows.close)
        yield Checkpoint()

    def _batches(self) -> Generator[Sequence[Row], None, None]:
        with self._connection() as connection:
            quoted = connection.dialect.identifier_preparer.quote
            order = ", ".join(f"q.{quoted(name)}" for name in self.template.key)
            statement = text(f"SELECT * FROM ({self.query}) AS q ORDER BY {order}")
            with connection.execution_options(stream_results=True).execute(statement) as found:
                for rows in found.mappings().partitions(_ROWS):
                    yield [dict(row) for row in rows]

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """A connection that can only read, for one transaction."""
        engine = create_engine(self.url, poolclass=NullPool, hide_parameters=True)
        postgres = {"postgresql_readonly": True, "postgresql_deferrable": True}
        options: dict[str, Any] = postgres if engine.dialect.name == "postgresql" else {}
        with engine.connect().execution_options(**options) as connection:
            if statement := _READ_ONLY.get(engine.dialect.name):
                connection.exec_driver_sql(statement)
            yield connection

    def _explained(self, error: SQLAlchemyError) -> SourceError:
        said = " ".join(str(getattr(error, "orig", None) or error).split())[:300]
        if self.url.password:
            said = said.replace(self.url.password, "***")
        return SourceError(
            f"The database {self.location} does not answer the query: {said.rstrip('.')}. Check "
            "url, query and the columns; nothing was removed from the index."
        )

    def _one(self, row: Row) -> SourceDocument | Skipped:
        template = self.template
        values = [row.get(name) for name in template.key]
        key = "/".join(quote(_text(value), safe=" ") for value in values)
        if any(value is None for value in values):
            return Skipped(key, "has a key that is empty")
        readers = None if template.readers is None else _principals(row.get(template.readers))
        if readers is not None and not readers:
            return Skipped(key, "names nobody who may read it")
        raw = self._markdown(row).encode()

        async def load() -> bytes:
            return raw

        return SourceDocument(
            key=key,
            media_type="text/markdown",
            load=load,
            title=_filled(template.title, row) if template.title else None,
            url=_filled(template.link, row, quoted=True) if template.link else None,
            modified_at=_moment(row.get(template.modified)) if template.modified else None,
            principals=readers,
            fingerprint=hashlib.sha256(raw).hexdigest(),
        )

    def _markdown(self, row: Row) -> str:
        head = f"# {_filled(self.template.title, row)}\n\n" if self.template.title else ""
        if self.template.body:
            return head + _filled(self.template.body, row)
        shown = {name: _text(value) for name, value in row.items() if value is not None}
        return head + "\n".join(f"- {name}: {value}" for name, value in shown.items())


def _filled(template: str, row: Mapping[str, Any], *, quoted: bool = False) -> str:
    """A template with the row's values. Raises SourceError: it names a column that is not there."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in row:
            known = ", ".join(row)
            raise SourceError(f"The query has no column {match[1]}. It has: {known}.")
        return quote(_text(row[match[1]]), safe="") if quoted else _text(row[match[1]])

    return _PLACEHOLDER.sub(value, template)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _principals(value: Any) -> frozenset[str]:
    parts = value if isinstance(value, list | tuple) else _text(value).split(",")
    return frozenset(str(part).strip() for part in parts if str(part).strip())


def _moment(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return (
        datetime(value.year, value.month, value.day, tzinfo=UTC)
        if isinstance(value, date)
        else None
    )


def _open(location: str, options: Options) -> SqlSource:
    for name in ("url", "query", "key"):
        if not options.get(name):
            raise SourceError(f"A source of the kind sql needs the option {name}.")
    try:
        url = make_url(str(options["url"]))
    except ArgumentError:
        raise SourceError("url is not a URL of SQLAlchemy: dialect+driver://…") from None
    names = tuple(part.strip() for part in str(options["key"]).split(",") if part.strip())
    given = {
        name: str(options[name])
        for name in ("title", "body", "link", "modified", "readers")
        if options.get(name)
    }
    query = str(options["query"]).strip().rstrip(";")
    return SqlSource(location, url, query, Template(names, **given))


SQL = Kind(
    name="sql",
    location="a name for the database, as citations and errors call it",
    open=_open,
    options={
        "url": "the SQLAlchemy URL of the database",
        "query": "a SELECT; each row is a document",
        "key": "the column, or columns with commas between, that name a row for ever",
        "title": "the title, with {column}s in it",
        "body": "the text in Markdown, with {column}s in it; without it all columns",
        "link": "where a row can be opened, with {column}s in it",
        "modified": "the column that says when a row was last changed",
        "readers": "the column with the principals who may read a row",
    },
    secrets=frozenset({"url"}),
)
