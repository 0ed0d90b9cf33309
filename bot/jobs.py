"""The queue: procrastinate on our Postgres, with what it leaves to us.

Its arguments are ids only. A job that a dead worker left is taken up again, a job that fails is
tried again with a growing pause, and after the last try whoever waits is told. A worker survives
Postgres being away: procrastinate's stops then, and we start the next one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

from procrastinate import App, JobContext, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException, JobAborted
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy
from psycopg import OperationalError
from sqlalchemy.exc import SQLAlchemyError

from bot.inbox import ANSWER_TASK, EVENT_TASK, HISTORY_TASK, PRIORITY, sweep
from knowledge.database import Database

logger = logging.getLogger(__name__)

REINDEX_TASK, TIDY_TASK = "reindex", "tidy"
ATTEMPTS = 5
PAUSES_SECONDS = (1, 4, 15, 60)  # before the second try, the third, …: 80 s in all
HEARTBEAT_SECONDS = 5.0
STALLED_SECONDS = 20.0  # four heartbeats: a stop of the world is no death
RECOVERY_SECONDS = 5.0
SWEEP_TURNS = 12  # once a minute
KEPT_DAYS = 14  # finished jobs and stored payloads, for whoever looks for what happened

OnLastFailure = Callable[[int, BaseException], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Handlers:
    """What works on the jobs. `attempt` counts from 1; `gave_up` tells whoever waits."""

    answer: Callable[[int, int], Awaitable[None]]
    event: Callable[[int, int], Awaitable[None]]
    history: Callable[[int, int], Awaitable[None]]
    reindex: Callable[[int | None, str | None], Awaitable[None]]
    tidy: Callable[[], Awaitable[None]]
    gave_up: OnLastFailure


class BackOff(BaseRetryStrategy):
    """Tries again after growing pauses; a job that a shutdown broke off goes back at once."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """When to try again, or None to give up."""
        if isinstance(exception, asyncio.CancelledError | JobAborted):
            return RetryDecision(retry_in={"seconds": 0})
        if is_last(job.attempts + 1):
            return None
        pause = PAUSES_SECONDS[min(job.attempts, len(PAUSES_SECONDS) - 1)]
        return RetryDecision(retry_in={"seconds": pause})


def is_last(attempt: int) -> bool:
    """Whether no further attempt follows this one."""
    return attempt >= ATTEMPTS


def make_queue(database: Database, *, connections: int = 4) -> App:
    """The queue, not yet open. LISTEN and heartbeats need a direct connection, no PgBouncer."""
    connector = PsycopgConnector(
        conninfo=database.conninfo(), min_size=1, max_size=connections, timeout=5.0
    )
    return App(connector=connector)


def register(queue: App, handlers: Handlers) -> None:
    """Tell the queue what works on its jobs."""

    @queue.task(name=ANSWER_TASK, retry=BackOff(), pass_context=True)
    async def answer_question(context: JobContext, *, event_id: int) -> None:
        await _attempt(context, event_id, handlers.answer, handlers.gave_up)

    @queue.task(name=EVENT_TASK, retry=BackOff(), pass_context=True)
    async def handle_event(context: JobContext, *, event_id: int) -> None:
        await _attempt(context, event_id, handlers.event, handlers.gave_up)

    @queue.task(name=HISTORY_TASK, retry=BackOff())
    async def follow_history(*, event_id: int, looked: int = 0) -> None:
        # What fails here to the last is found by the sweep and tried again.
        await handlers.history(event_id, looked)

    @queue.task(name=REINDEX_TASK, lock=REINDEX_TASK, retry=BackOff())
    async def reindex(*, event_id: int | None = None, source: str | None = None) -> None:
        await handlers.reindex(event_id, source)

    @queue.task(name=TIDY_TASK, lock=TIDY_TASK, retry=BackOff())
    async def tidy() -> None:
        await queue.job_manager.delete_old_jobs(
            KEPT_DAYS * 24, include_failed=True, include_cancelled=True, include_aborted=True
        )
        await handlers.tidy()


async def _attempt(
    context: JobContext,
    event_id: int,
    work: Callable[[int, int], Awaitable[None]],
    gave_up: OnLastFailure,
) -> None:
    attempt = context.job.attempts + 1
    try:
        if attempt > ATTEMPTS:  # workers died of it, again and again
            raise RuntimeError("the worker ended each time while it worked on this")
        await work(event_id, attempt)
    except Exception as error:
        logger.exception(
            "A job failed", extra={"action": "job_failed", "event": event_id, "attempt": attempt}
        )
        if is_last(attempt):
            await gave_up(event_id, error)
        raise


async def defer_reindex(
    queue: App, *, event_id: int | None = None, source: str | None = None
) -> None:
    """Queue a sync of one source, or of all."""
    deferrer = queue.configure_task(REINDEX_TASK, lock=REINDEX_TASK)
    await deferrer.defer_async(event_id=event_id, source=source)


async def look_again(queue: App, event_id: int, looked: int, in_seconds: int) -> None:
    """Queue another look at what happened to a message."""
    deferrer = queue.configure_task(
        HISTORY_TASK, schedule_in={"seconds": in_seconds}, priority=PRIORITY[HISTORY_TASK]
    )
    await deferrer.defer_async(event_id=event_id, looked=looked)


async def recover(queue: App) -> int:
    """Put the jobs of dead workers back into the queue; how many they were.

    procrastinate finds them but leaves them, even while other workers are alive.
    """
    manager, connector = queue.job_manager, queue.connector
    assert isinstance(connector, PsycopgConnector)
    async with connector.pool.connection() as connection:
        # One replica at a time: a job that another has put back, and a worker has begun again,
        # must not be put back once more.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('lorewise.recover'))")
        stalled = list(await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS))
        for job in stalled:
            with suppress(ConnectorException):  # it has finished after all
                await manager.retry_job(job)
    if stalled:
        logger.warning(
            "%d jobs of a worker that ended were put back into the queue",
            len(stalled),
            extra={"action": "jobs_recovered", "jobs": len(stalled)},
        )
    return len(stalled)


async def recover_for_ever(queue: App, database: Database) -> None:
    """Recover now and every few seconds until cancelled; sweep the inbox now and then."""
    for turn in count():
        if is_cancelled():
            return
        try:
            await recover(queue)
            if turn % SWEEP_TURNS == 0:
                await sweep(queue, database)
        except (ConnectorException, OperationalError, SQLAlchemyError, OSError) as error:
            logger.warning(
                "Postgres is away, recovery waits: %s",
                type(error).__name__,
                extra={"action": "recovery_waits"},
            )
        await asyncio.sleep(RECOVERY_SECONDS)


def is_cancelled() -> bool:
    """Whether the current task was asked to end: an error of a broken connection, raised while
    things are cleared up, may stand in for the cancellation that asked for it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Worker:
    """Works on the queue until stopped, through restarts of Postgres."""

    def __init__(
        self,
        make: Callable[[], App],
        database: Database,
        *,
        concurrency: int,
        shutdown_seconds: float,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._make, self._database, self._concurrency = make, database, concurrency
        self._shutdown_seconds = shutdown_seconds
        self._ready = ready

    async def run(self) -> None:
        """Work until cancelled; then drain for `shutdown_seconds` and hand back the rest."""
        pause_seconds = 0.2
        while not is_cancelled():
            started_at = asyncio.get_running_loop().time()
            try:
                await self._work()
            except (ConnectorException, OperationalError, OSError, SQLAlchemyError) as error:
                logger.warning(
                    "The worker lost Postgres (%s) and starts again",
                    type(error).__name__,
                    extra={"action": "worker_restarts"},
                )
            if asyncio.get_running_loop().time() - started_at > 30:
                pause_seconds = 0.2
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 2, 5.0)

    async def _work(self) -> None:
        queue = self._make()
        async with queue.open_async():
            recovery = asyncio.create_task(recover_for_ever(queue, self._database))
            self._ready()
            try:
                await queue.run_worker_async(
                    name="lorewise",
                    concurrency=self._concurrency,
                    install_signal_handlers=False,
                    shutdown_graceful_timeout=self._shutdown_seconds,
                    update_heartbeat_interval=HEARTBEAT_SECONDS,
                    stalled_worker_timeout=STALLED_SECONDS,
                    fetch_job_polling_interval=1.0,
                )
            finally:
                recovery.cancel()
                with suppress(asyncio.CancelledError):
                    await recovery
