"""The clock: APScheduler says when, a row says once, the queue does the work.

Any number of replicas may run it: a tick inserts (task, due time) and, if the row is new, the
job, in one transaction. A tick that no replica was up for is caught up at the next start. Which
sources have a schedule of their own is asked each minute, so a change needs no restart.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from procrastinate import App

from bot.ledger import borrowed
from bot.statements import statements
from knowledge.database import Database

logger = logging.getLogger(__name__)

SQL = statements("clock.sql")


LOOK_SECONDS = 60
NEVER = "never"


@dataclass(frozen=True, slots=True)
class Ticking:
    """A task and its cron expression; of those with one `lock` only one runs at a time."""

    task: str
    cron: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    lock: str | None = None

    @property
    def key(self) -> str:
        """What is due: the task, with what it is about."""
        return " ".join([self.task, *self.arguments.values()])


Also = Callable[[], Awaitable[Sequence[Ticking]]]
"""What else ticks at this moment."""


async def _nothing() -> Sequence[Ticking]:
    return ()


class Clock:
    """Puts tasks that are due into the queue."""

    def __init__(
        self,
        database: Database,
        queue: App,
        zone: ZoneInfo,
        ticking: tuple[Ticking, ...],
        *,
        also: Also = _nothing,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database, self._queue, self._zone, self._now = database, queue, zone, now
        self._ticking, self._also = ticking, also
        self._running: dict[str, Ticking] = {}
        self._scheduler = AsyncIOScheduler(timezone=zone)

    async def start(self) -> None:
        """Catch up, then tick."""
        await self.look()
        self._scheduler.add_job(
            self._look_safely, "interval", seconds=LOOK_SECONDS, coalesce=True, max_instances=1
        )
        self._scheduler.start()

    @property
    def ticking(self) -> Sequence[Ticking]:
        """What ticks now."""
        return [each for key, each in self._running.items() if self._scheduler.get_job(key)]

    async def look(self) -> None:
        """See what ticks now: begin with what is new, end what is no more."""
        found = (*self._ticking, *await self._also())
        wanted = {each.key: each for each in found if each.cron != NEVER}
        for key in self._running.keys() - wanted.keys():
            self._end(key)
        for key, each in wanted.items():
            if self._running.get(key) != each:
                await self._begin(each)

    async def _look_safely(self) -> None:
        try:
            await self.look()
        except Exception:  # the edge: the next minute looks again
            logger.exception("The schedules were not read", extra={"action": "schedules_unread"})

    async def _begin(self, each: Ticking) -> None:
        try:
            trigger = self._trigger(each)
        except ValueError as error:
            logger.error(
                "%s has a schedule that can't be (%s): %s", each.key, each.cron, error,
                extra={"action": "schedule_wrong"},
            )  # fmt: skip
            self._end(each.key)
            self._running[each.key] = each
            return
        await self._catch_up(each)
        self._scheduler.add_job(
            self._tick,
            trigger,
            args=(each,),
            id=each.key,
            replace_existing=True,
            misfire_grace_time=None,  # a tick that is late is still a tick
            coalesce=True,
            max_instances=1,
        )
        self._running[each.key] = each

    def _end(self, key: str) -> None:
        self._running.pop(key, None)
        if self._scheduler.get_job(key) is not None:
            self._scheduler.remove_job(key)

    def stop(self) -> None:
        """Tick no more."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _trigger(self, each: Ticking) -> CronTrigger:
        return CronTrigger.from_crontab(each.cron, timezone=self._zone)

    async def _tick(self, each: Ticking) -> None:
        """The tick of now: the due time is the cron's own, so that all replicas name the same."""
        due_at = self.last_due(each)
        if due_at is None:
            return
        try:
            await self.put(each, due_at)
        except Exception:  # the edge: the next tick, or the next start, catches it up
            logger.exception("A tick was not queued", extra={"action": "tick_lost"})

    async def _catch_up(self, each: Ticking) -> None:
        due_at = self.last_due(each)
        async with borrowed(self._database) as connection:
            known = await (await connection.execute(SQL["any_tick"], {"task": each.key})).fetchone()
        # The first start of all has missed nothing.
        if due_at is not None and known is not None:
            await self.put(each, due_at)

    def last_due(self, each: Ticking) -> datetime | None:
        """The latest time at which the task was due, not after now; None if long ago."""
        now = self._now().astimezone(self._zone)
        trigger = self._trigger(each)
        due: datetime | None = None
        # Backwards in steps: cron's own look only goes forwards.
        for hours in (1, 24, 48):
            moment = trigger.get_next_fire_time(None, now - timedelta(hours=hours))
            while moment is not None and moment <= now:
                due = moment
                moment = trigger.get_next_fire_time(moment, moment + timedelta(microseconds=1))
            if due is not None:
                return due.astimezone(UTC)
        return None

    async def put(self, each: Ticking, due_at: datetime) -> bool:
        """Queue the task for its due time; False if that was done before, here or elsewhere."""
        async with borrowed(self._database) as connection:
            values = {"task": each.key, "due_at": due_at}
            row = await (await connection.execute(SQL["tick"], values)).fetchone()
            if row is None:
                return False
            deferrer = self._queue.configure_task(
                each.task, connection=connection, lock=each.lock or each.task
            )
            await deferrer.defer_async(**each.arguments)
        logger.info(
            "%s is due and was queued", each.key, extra={"action": "task_due", "task": each.key}
        )
        return True
