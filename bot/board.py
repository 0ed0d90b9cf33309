"""One message that shows how far a sync of several sources is, within Slack's limits."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.markup import escape_mrkdwn, one_line
from bot.reasons import reason_lines, reasons_file
from bot.texts import Texts
from bot.thread import notice_metadata
from knowledge.index import Progress, Report
from knowledge.report import counts

logger = logging.getLogger(__name__)

UPDATE_SECONDS = 2.0  # chat.update: fifty a minute, and other answers need some of them
SLOW_UPDATE_SECONDS, SLOW_AFTER_UPDATES = 10.0, 30  # nobody watches an hour's run that closely
BAR = 20
TEXT_CHARACTERS = 3_300  # chat.update refuses more than 4,000

State = Progress | Report | str | None
"""A source's progress, its report, why it failed, or None while it waits."""


class Board:
    """`async with` posts the message and keeps it up to date; without a client it shows nothing."""

    def __init__(
        self,
        client: AsyncWebClient | None,
        user: str,
        language: str,
        event_id: int,
        sources: Sequence[str],
    ) -> None:
        self._client, self._user, self._texts = client, user, Texts.of(language)
        self._event_id = event_id
        self._states: dict[str, State] = dict.fromkeys(sources)
        self._begun: set[str] = set()
        self._channel, self._ts, self._shown = "", "", ""
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Board":
        """Post the message."""
        if self._client is not None:
            self._shown = self.text()
            posted = await self._client.chat_postMessage(
                channel=self._user,
                text=self._shown,
                metadata=notice_metadata(self._event_id, "reindex"),
                **_QUIET,
            )
            self._channel, self._ts = str(posted["channel"]), str(posted["ts"])
            self._task = asyncio.create_task(self._keep_up())
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Say how it ended."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._show()
            await self._name_the_rest()

    def begin(self, source: str) -> None:
        """A source's turn has come."""
        self._begun.add(source)
        self._states.setdefault(source, None)

    def take(self, source: str, progress: Progress) -> None:
        """Progress, at any rate; it is shown now and then."""
        self._states[source] = progress

    def done(self, source: str, report: Report) -> None:
        """A source's run has ended."""
        self._states[source] = report
        logger.info(
            "A source was synced",
            extra={"action": "source_synced", "source": source, **counts(report)},
        )

    def failed(self, source: str, reason: str) -> None:
        """Nothing came of a source's run; only admins see it, so it may say why."""
        self._states[source] = reason

    def text(self) -> str:
        """The message as it reads now."""
        lines = [self._texts.get("reindex_title")]
        parts = [self._part(source, state) for source, state in self._states.items()]
        room = TEXT_CHARACTERS - len(lines[0])
        for index, part in enumerate(parts):
            room -= len(part) + 1
            if room < 0:
                lines.append(self._texts.get("reindex_more", count=len(parts) - index))
                break
            lines.append(part)
        if any(not whole for _, whole in self._reasons().values()):
            lines.append(self._texts.get("reindex_rest"))
        return "\n".join(lines)

    def _part(self, source: str, state: State) -> str:
        name = _inert(source)
        if isinstance(state, Report):
            values = counts(state) | {"seconds": round(state.seconds, 1)}
            done = self._texts.get("reindex_done", source=name, **values)
            return "\n".join([done, *reason_lines(state, self._texts)[0]])
        if isinstance(state, str):
            return self._texts.get("reindex_failed", source=name, reason=_inert(state, 1_000))
        if state is not None:
            return self._running(name, state)
        begun = source in self._begun
        return self._texts.get("reindex_begun" if begun else "reindex_waiting", source=name)

    def _running(self, name: str, progress: Progress) -> str:
        eta = progress.eta_seconds
        left = self._texts.get("reindex_left", time=clock_time(eta)) if eta is not None else ""
        total = progress.documents_total
        return self._texts.get(
            "reindex_progress",
            source=name,
            bar=bar(progress.documents_done, total if progress.told_all else 2 * total),
            done=progress.documents_done,
            total=total if progress.told_all else f"{total}+",
            rate=round(progress.chunks_per_second, 1),
            left=left,
        )

    def _reports(self) -> Mapping[str, Report]:
        return {name: state for name, state in self._states.items() if isinstance(state, Report)}

    def _reasons(self) -> Mapping[str, tuple[list[str], bool]]:
        reports = self._reports().items()
        return {source: reason_lines(report, self._texts) for source, report in reports}

    async def _keep_up(self) -> None:
        updates = 0
        while True:
            await asyncio.sleep(
                UPDATE_SECONDS if updates < SLOW_AFTER_UPDATES else SLOW_UPDATE_SECONDS
            )
            updates += await self._show()

    async def _show(self) -> bool:
        text = self.text()
        if self._client is None or text == self._shown:
            return False
        try:
            await self._client.chat_update(channel=self._channel, ts=self._ts, text=text, **_QUIET)
        except SlackApiError as error:  # somebody deleted it: the sync goes on
            logger.warning(
                "The progress can't be shown: %s",
                error.response.get("error"),
                extra={"action": "progress_lost"},
            )
        self._shown = text
        return True

    async def _name_the_rest(self) -> None:
        """All names as a file in the thread; as a message where the app may send no files."""
        if self._client is None or all(whole for _, whole in self._reasons().values()):
            return
        content = reasons_file(self._reports())
        channel, thread_ts = self._channel, self._ts
        try:
            await self._client.files_upload_v2(
                channel=channel,
                thread_ts=thread_ts,
                content=content,
                filename="documents.txt",
                title="documents.txt",
            )
        except SlackApiError:
            text = escape_mrkdwn(content)[:TEXT_CHARACTERS]
            await self._client.chat_postMessage(
                channel=channel, thread_ts=thread_ts, text=text, **_QUIET
            )


def bar(done: int, total: int) -> str:
    """A progress bar of text."""
    full = BAR * done // total if total else 0
    return "█" * full + "░" * (BAR - full)


def clock_time(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _inert(text: str, most: int = 80) -> str:
    return escape_mrkdwn(one_line(text, most))


_QUIET: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False}
