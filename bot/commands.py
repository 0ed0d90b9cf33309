"""Slash commands: /lorewise help, status, sources, reindex and retrain, with /reindex and /retrain.

`/ask` is a question and is answered like one (bot.conversation).
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

from procrastinate import App
from sqlalchemy import text

from bot.access import EVERYONE, People
from bot.clock import NEVER
from bot.jobs import defer_reindex
from bot.ledger import Taken
from bot.markup import escape_mrkdwn, one_line
from bot.outlet import Outlet
from bot.statements import statements
from bot.texts import Texts
from knowledge.database import Database
from knowledge.sources.registered import RegisteredSource, registered_sources

SOURCES_CHARACTERS = 3_500

_NO_CRON = re.compile(r"[^\w*/,\- ]")  # it stands in code marks, where a star is a star

logger = logging.getLogger(__name__)

SQL = statements("commands.sql")


class Commands:
    """Carries out commands; whoever may not is told kindly who may."""

    def __init__(
        self,
        *,
        database: Database,
        queue: App,
        people: People,
        outlet: Outlet,
        admins: tuple[str, ...],
    ) -> None:
        self._database, self._queue = database, queue
        self._people, self._outlet, self._admins = people, outlet, admins

    async def carry_out(self, taken: Taken) -> str:
        """Do what a stored command says; gives its name for the ledger."""
        payload = taken.payload
        name, argument = _parse(str(payload.get("command")), str(payload.get("text") or ""))
        texts = Texts.of(await self._people.language_of(str(payload["user_id"])))
        await self._outlet.whisper(
            await self._reply(name, argument, taken, texts),
            str(payload["user_id"]),
            str(payload["channel_id"]),
            payload.get("response_url"),
        )
        return name

    async def _reply(self, name: str, argument: str, taken: Taken, texts: Texts) -> str:
        if name in {"help", ""}:
            return f"{texts.get('help')}\n{texts.get('help_commands')}"
        if name == "status":
            return texts.get("status", **await self._status())
        if name not in {"reindex", "retrain", "sources"}:
            unknown = texts.get("unknown_command", command=_shown(name))
            return f"{unknown}\n{texts.get('help_commands')}"
        if not await self._people.is_admin(str(taken.payload["user_id"])):
            return texts.get("admins_only", names=self._names())
        return await self._administer(name, argument, taken, texts)

    async def _administer(self, name: str, argument: str, taken: Taken, texts: Texts) -> str:
        if name == "sources":
            return await self._sources(texts)
        if name == "retrain":
            return texts.get("retrain_none", **await self._status())
        return await self._reindex(argument, taken, texts)

    async def _reindex(self, source: str, taken: Taken, texts: Texts) -> str:
        names = [registered.name for registered in await registered_sources(self._database)]
        if source and source not in names:
            known = texts.listed(_shown(name) for name in names) or texts.get("none")
            return texts.get("reindex_unknown", source=_shown(source), names=known)
        await defer_reindex(self._queue, event_id=taken.id, source=source or None)
        logger.info("A sync was asked for", extra={"action": "reindex_asked"})
        what = _shown(source) if source else texts.get("reindex_all")
        return texts.get("reindex_queued", source=what)

    async def _sources(self, texts: Texts) -> str:
        documents = await self._documents()
        blocks = [
            source_text(source, documents.get(source.id, 0), texts)
            for source in await registered_sources(self._database)
        ]
        return "\n".join(blocks)[:SOURCES_CHARACTERS] or texts.get("sources_none")

    async def _documents(self) -> Mapping[int, int]:
        """Documents by source; counted as the indexer, for an admin may know how many there are."""
        async with self._database.indexer.connect() as connection:
            rows = await connection.execute(text(SQL["documents_by_source"].decode()))
            return {row[0]: row[1] for row in rows}

    def _names(self) -> str:
        return f" ({', '.join(f'<@{user}>' for user in self._admins)})" if self._admins else ""

    async def _status(self) -> Mapping[str, Any]:
        # The documents are those that everyone may read: the reply names no others.
        async with self._database.acting_as({EVERYONE}) as connection:
            row = (await connection.execute(text(SQL["status"].decode()))).one()
        return row._asdict()


def _parse(command: str, words: str) -> tuple[str, str]:
    """The command's name and what follows it: `/lorewise reindex x` is `/reindex x`."""
    if command in {"/reindex", "/retrain"}:
        return command[1:], words.strip()
    name, _, argument = words.strip().partition(" ")
    return name.lower(), argument.strip()


def source_text(source: RegisteredSource, documents: int, texts: Texts) -> str:
    """A source with its schedule, its last run and that run's counts, in a few lines."""
    schedule = {"": texts.get("sources_nightly"), NEVER: texts.get("sources_asked")}.get(
        source.schedule, texts.get("sources_scheduled", cron=_NO_CRON.sub("", source.schedule))
    )
    synced = texts.get("home_never_synced")
    if source.synced_at:
        stamp, day = int(source.synced_at.timestamp()), f"{source.synced_at:%Y-%m-%d %H:%M}"
        when = f"<!date^{stamp}^{{date_short_pretty}} {{time}}|{day}>"
        synced = texts.get("home_synced", when=when)
    lines = [
        texts.get(
            "sources_line",
            source=_shown(source.name),
            kind=source.kind,
            documents=documents,
            schedule=schedule,
            synced=synced,
        )
    ]
    if source.report:
        lines.append("    " + texts.get("sources_counts", **_counts(source.report)))
    if source.error:
        error = escape_mrkdwn(one_line(source.error, 300))
        lines.append("    " + texts.get("sources_error", reason=error))
    return "\n".join(lines)


def _counts(report: Mapping[str, Any]) -> Mapping[str, Any]:
    names = ("seen", "added", "changed", "unchanged", "removed", "skipped", "failed")
    return {name: report.get(name, 0) for name in names}


def _shown(text: str) -> str:
    return escape_mrkdwn(one_line(text, 80))
