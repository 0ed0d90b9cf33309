"""The history of channels as documents.

A sync looks through the last weeks again, since people edit and delete; threads are read again
where their summary changed, or where they are a few days old. What is older is kept in step by
live events, and once in a while everything is told anew.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.arrival import Identity
from bot.history.choice import KIND, NO_RECORD, Asked, Choice, Record
from bot.history.grouping import (
    Rules,
    day_of,
    is_day,
    is_reply,
    is_thread,
    oldest_first,
    state_of,
    times_of,
)
from bot.history.names import Names
from bot.history.reader import ChannelClosedError, Reader
from bot.history.rendering import first_line, moment, page, users_of
from bot.history.state import Known, Place, State, digest
from knowledge.sources import Change, Checkpoint, Removed, Skipped, SourceDocument

Json = Mapping[str, Any]
VERSION = 1  # of the way in which messages become documents
RECENT_SECONDS = 3 * 86_400.0  # a thread's replies may be edited, and its summary doesn't show it
DAY_SECONDS = 86_400.0
JOINED_SECONDS = 30.0  # the list of channels is asked for once in a burst of messages


class SlackSource:
    """Chosen channels, each thread and each day of a channel a document."""

    kind = KIND

    def __init__(
        self,
        client: AsyncWebClient,
        us: Identity,
        choice: Choice,
        asked: Asked,
        *,
        record: Record = NO_RECORD,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._us, self._choice, self._asked, self._record = us, choice, asked, record
        self._rules = Rules(us, asked.bots)
        self._reader, self._now = Reader(client), now
        self._names = Names(self._reader)
        self._channels: list[Json] = []
        self._joined_at = float("-inf")

    @property
    def location(self) -> str:
        """Which channels."""
        return self._choice.text

    async def changes(self, cursor: dict[str, Any] | None) -> AsyncIterator[Change]:
        """Everything, or what may have changed; see the module. Raises SourceError."""
        joined = await self._joined()
        chosen = {str(channel["id"]): channel for channel in joined if self._takes(channel)}
        await self._record.listed(dict.fromkeys(chosen, self._asked.bots))
        await self._names.learn_everyone()
        for skipped in self._not_taken(joined):
            yield skipped
        state = State.of(cursor, digest(VERSION, self._choice.text, self._asked, self._us.team))
        resumed = bool(state.before)
        whole = resumed or self._is_due(state, chosen)
        if whole and not resumed:
            state = State(state.options)
        # Cut on its way, a later telling of everything begins anew: what has gone would be missed.
        resumable = not whole or resumed or cursor is None
        async for change in self._tell(state, chosen, whole=whole):
            if resumable or not isinstance(change, Checkpoint):
                yield change
        state.before = {}
        if whole:  # a telling in two pieces doesn't know what vanished in the first: once more
            state.complete_at = None if resumed else self._now()
        yield Checkpoint(state.cursor(), complete=whole and not resumed)

    async def reads(self, channel_id: str) -> bool:
        """Whether a channel is one of this source's now. Raises SourceError."""
        return any(c["id"] == channel_id and self._takes(c) for c in await self._joined())

    async def around(
        self, channel_id: str, root: str, *, is_thread: bool, known: bool
    ) -> list[Change]:
        """The documents of one message as they are now; Removed where nothing is left of one.

        `root` is the first message of its thread, or the message itself; `known`: the thread's
        document is in the index, so its first message is in its day's no more. Raises SourceError.
        """
        channel = next((c for c in await self._joined() if c["id"] == channel_id), None)
        thread, day = f"{channel_id}/{root}", f"{channel_id}/{day_of(root)}"
        if channel is None or not self._takes(channel):
            return [Removed(thread), Removed(day)]
        messages = await self._reader.thread(channel_id, root) if is_thread else []
        document = await self._thread(channel, root, messages)
        told: list[Change] = [document or Removed(thread)]
        if document is None or not known:
            told.append(await self._day(channel, day_of(root)) or Removed(day))
        return told

    async def again(self, keys: Sequence[str]) -> AsyncIterator[SourceDocument | Removed | Skipped]:
        """Single documents as they are now."""
        channels = {str(channel["id"]): channel for channel in await self._joined()}
        for key in keys:
            channel_id, _, end = key.partition("/")
            channel = channels.get(channel_id)
            if channel is None or not self._takes(channel):
                yield Removed(key)
            elif is_day(end):
                yield await self._day(channel, end) or Removed(key)
            else:
                messages = await self._reader.thread(channel_id, end)
                yield await self._thread(channel, end, messages) or Removed(key)

    # which channels

    async def _joined(self) -> list[Json]:
        if self._now() - self._joined_at > JOINED_SECONDS:
            self._channels = await self._reader.channels()
            self._names.learn_channels(self._channels)
            self._joined_at = self._now()
        return self._channels

    def _takes(self, channel: Json) -> bool:
        return self._choice.takes(channel) and not channel.get("is_archived")

    def _not_taken(self, joined: Sequence[Json]) -> list[Skipped]:
        missing = [
            Skipped(name, "is no channel that the bot is in: invite it with /invite")
            for name in self._choice.missing(joined)
        ]
        archived = [
            Skipped(str(channel["id"]), f"#{channel.get('name')} is archived")
            for channel in joined
            if channel.get("is_archived") and self._choice.takes(channel)
        ]
        return missing + archived

    def _is_due(self, state: State, chosen: Mapping[str, Json]) -> bool:
        """Whether everything is to be told: now and then, and when a channel went or its readers
        changed."""
        if state.complete_at is None:
            return True
        if self._now() - state.complete_at > self._asked.complete_days * DAY_SECONDS:
            return True
        return any(
            channel not in chosen or bool(chosen[channel].get("is_private")) != place.private
            for channel, place in state.channels.items()
        )

    # telling

    async def _tell(
        self, state: State, chosen: Mapping[str, Json], *, whole: bool
    ) -> AsyncIterator[Change]:
        for channel_id, channel in sorted(chosen.items()):
            if whole and state.before.get(channel_id) == "":
                continue
            try:
                async for change in self._channel(state, channel, whole=whole):
                    yield change
            except ChannelClosedError as error:  # just now: the next run lists it no more
                state.channels.pop(channel_id, None)
                yield Skipped(channel_id, str(error))
            if whole:
                state.before[channel_id] = ""
            yield Checkpoint(state.cursor(), complete=False)

    async def _channel(self, state: State, channel: Json, *, whole: bool) -> AsyncIterator[Change]:
        channel_id = str(channel["id"])
        before = state.channels.get(channel_id)
        place = state.channels.setdefault(channel_id, Place(bool(channel.get("is_private"))))
        known = dict(place.known) if before and not whole else {}
        if before and not whole:  # live events made documents that no sync has seen
            indexed = await self._record.indexed(channel_id)
            known |= {key: known.get(key, []) for key in (k.partition("/")[2] for k in indexed)}
        since = self._since(before, whole=whole)
        latest = state.before.get(channel_id) or f"{self._now() + 60:.6f}"
        left_out: Counter[str] = Counter()
        seen: Known = {} if not whole else place.known
        async for messages, until in self._days(channel_id, since, latest):
            left_out.update(self._left_out(messages))
            async for change in self._told(channel, messages, known, seen):
                yield change
            place.newest = max(place.newest, str(messages[-1]["ts"]), key=float)
            if whole:
                state.before[channel_id] = until
                yield Checkpoint(state.cursor(), complete=False)
        for key in sorted(known.keys() - seen.keys()):
            if float(_start(key)) >= since:
                yield Removed(f"{channel_id}/{key}")
        if whole and not seen:  # said, so that an emptied channel isn't taken for a lost one
            yield Skipped(channel_id, f"#{channel.get('name')} has no messages that are taken")
        self._remember(place, seen)
        for reason, count in sorted(left_out.items()):
            yield Skipped(f"{channel_id}/{reason}", f"{count} {reason} are not taken")

    def _left_out(self, messages: Sequence[Json]) -> list[str]:
        """Why messages are not taken, each reason as often as it holds."""
        reasons = (
            self._rules.why_not(m) if is_thread(m) else self._rules.why_not_alone(m)
            for m in messages
        )
        return [reason for reason in reasons if reason]

    def _since(self, before: Place | None, *, whole: bool) -> float:
        """From when on a channel is read; the beginning of a day."""
        now, days = self._now(), self._asked.days
        earliest = _midnight(now - days * DAY_SECONDS) if days else 0.0
        if whole or before is None:
            return earliest
        look_back = min(now - self._asked.look_back_days * DAY_SECONDS, float(before.newest))
        return max(earliest, _midnight(look_back))

    def _remember(self, place: Place, seen: Known) -> None:
        oldest = _midnight(self._now() - self._asked.look_back_days * DAY_SECONDS)
        place.known = {key: state for key, state in seen.items() if float(_start(key)) >= oldest}

    async def _days(
        self, channel_id: str, since: float, latest: str
    ) -> AsyncIterator[tuple[list[Json], str]]:
        """A channel's messages day by day, the newest day first, each with where to go on."""
        waiting: list[Json] = []
        async for messages in self._reader.history(channel_id, f"{since:.6f}", latest):
            for message in messages:
                if waiting and day_of(str(message["ts"])) != day_of(str(waiting[-1]["ts"])):
                    yield oldest_first(waiting), _before(waiting)
                    waiting = []
                if not is_reply(message):
                    waiting.append(message)
        if waiting:
            yield oldest_first(waiting), _before(waiting)

    async def _told(
        self, channel: Json, messages: Sequence[Json], known: Known, seen: Known
    ) -> AsyncIterator[Change]:
        """One day of a channel: what stands alone together, and each thread that began in it."""
        channel_id, day = str(channel["id"]), day_of(str(messages[0]["ts"]))
        for skipped in _files(channel_id, messages):
            yield skipped
        alone = [message for message in messages if not is_thread(message)]
        document = await self._day_document(channel, day, alone)
        if document:
            seen[day] = []
            yield document
        for root in filter(is_thread, messages):
            ts = str(root["ts"])
            state = state_of(root)
            if known.get(ts) == state and not self._is_recent(root):
                seen[ts] = state
                continue
            replies = await self._reader.thread(channel_id, ts)
            for skipped in _files(channel_id, replies[1:]):
                yield skipped
            seen[ts] = state
            thread = await self._thread(channel, ts, replies)
            if thread or ts in known:
                yield thread or Removed(f"{channel_id}/{ts}")

    def _is_recent(self, root: Json) -> bool:
        return self._now() - float(root.get("latest_reply") or root["ts"]) < RECENT_SECONDS

    # documents

    async def _day(self, channel: Json, day: str) -> SourceDocument | None:
        """The document of one day, read now."""
        start, end = times_of(day)
        messages = [
            message
            async for some in self._reader.history(str(channel["id"]), start, end)
            for message in some
            if not is_reply(message) and not is_thread(message)
        ]
        return await self._day_document(channel, day, oldest_first(messages))

    async def _day_document(
        self, channel: Json, day: str, messages: Sequence[Json]
    ) -> SourceDocument | None:
        kept = [message for message in messages if self._rules.why_not_alone(message) is None]
        if not kept:
            return None
        await self._names.learn(users_of(kept))

        async def again() -> bytes | None:
            document = await self._day(channel, day)
            return await document.load() if document else None

        return self._document(channel, day, f"#{channel.get('name')} {day}", kept, again)

    async def _thread(
        self, channel: Json, root: str, messages: Sequence[Json]
    ) -> SourceDocument | None:
        """The document of a thread; None where it is none (any more)."""
        if len(messages) < 2:
            return None
        kept = self._rules.thread(messages)
        if not kept:
            return None
        await self._names.learn(users_of(kept))

        async def again() -> bytes | None:
            now = await self._reader.thread(str(channel["id"]), root)
            document = await self._thread(channel, root, now)
            return await document.load() if document else None

        line = first_line(str(kept[0].get("text")), self._names, self._us.user)
        return self._document(channel, root, f"#{channel.get('name')}: {line}", kept, again)

    def _document(
        self,
        channel: Json,
        key: str,
        title: str,
        messages: Sequence[Json],
        again: Callable[[], Any],
    ) -> SourceDocument:
        channel_id, read_at = str(channel["id"]), self._now()
        content = page(title, messages, self._names, self._us.user)

        async def load() -> bytes:
            # What was deleted since it was read must not come back.
            if await self._record.touched(f"{channel_id}/{key}", read_at):
                return await again() or b""
            return content

        return SourceDocument(
            key=f"{channel_id}/{key}",
            media_type="text/html",
            load=load,
            title=title,
            url=self._permalink(channel_id, messages[0]),
            modified_at=moment(max((_last_word(m) for m in messages), key=float)),
            principals=frozenset({self._reader_of(channel)}),
        )

    def _reader_of(self, channel: Json) -> str:
        if self._asked.public == "everyone" and not channel.get("is_private"):
            return "everyone"
        return f"channel:{self._us.team}:{channel['id']}"

    def _permalink(self, channel_id: str, message: Json) -> str | None:
        if not self._us.url:
            return None
        ts = str(message["ts"])
        link = f"{self._us.url.rstrip('/')}/archives/{channel_id}/p{ts.replace('.', '')}"
        reply = f"?thread_ts={message['thread_ts']}&cid={channel_id}" if is_reply(message) else ""
        return link + reply


def _files(channel_id: str, messages: Sequence[Json]) -> list[Skipped]:
    return [
        Skipped(
            f"{channel_id}/{message['ts']}/{file.get('name') or file.get('id')}",
            "is a file in a message: files in Slack are not read",
        )
        for message in messages
        for file in message.get("files") or ()
    ]


def _before(day: Sequence[Json]) -> str:
    """The last moment before a day's first: where a telling goes on."""
    return f"{float(_start(day_of(str(day[-1]['ts'])))) - 0.000001:.6f}"


def _last_word(message: Json) -> str:
    return str((message.get("edited") or {}).get("ts") or message["ts"])


def _start(key: str) -> str:
    """The time at which a document's messages begin: a thread's own, or its day's midnight."""
    return times_of(key)[0] if is_day(key) else key


def _midnight(seconds: float) -> float:
    day = datetime.fromtimestamp(max(0.0, seconds), UTC)
    return (day - timedelta(hours=day.hour, minutes=day.minute, seconds=day.second,
                            microseconds=day.microsecond)).timestamp()  # fmt: skip
