"""The composition root: everything is made here, started, and stopped in order."""

import asyncio
import contextlib
import logging
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import aiohttp
from procrastinate import App as Queue
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette

from bot import jobs, signals
from bot.access import People
from bot.arrival import Arrival, Identity
from bot.clock import Clock, Ticking
from bot.commands import Commands
from bot.conversation import Answers, Conversation
from bot.events import Events
from bot.feedback import Feedback, Reactions
from bot.history.choice import KIND
from bot.history.live import LiveHistory
from bot.home import Home, Prompt
from bot.http import Door, Listener
from bot.inbox import Inbox, take_in
from bot.kinds import kinds_with
from bot.ledger import Ledger
from bot.outlet import Outlet
from bot.reindex import Reindexing
from bot.settings import BotSettings
from bot.slack import identify, make_client, refused
from bot.stops import Stops
from bot.texts import Texts
from bot.thread import Threads
from knowledge.answer import Answerer
from knowledge.assemble import load_answerer, open_live_embedders
from knowledge.database import Database, connect, open_database
from knowledge.embedding import Embedder
from knowledge.live import LiveEmbedders
from knowledge.settings import KnowledgeSettings
from knowledge.sources.registered import registered_sources

logger = logging.getLogger(__name__)

PARTS = frozenset({"bot", "worker", "clock"})
SWITCH_SECONDS = 0.0005
DOOR_CONNECTIONS = 4  # a thousand acknowledgements a second need no more


@dataclass(frozen=True, slots=True)
class House:
    """What every part stands on. `embedders` are loaded where a worker runs."""

    knowledge: KnowledgeSettings
    settings: BotSettings
    database: Database
    client: AsyncWebClient
    us: Identity
    embedders: Sequence[Embedder] = ()


async def run(
    knowledge: KnowledgeSettings,
    settings: BotSettings,
    *,
    only: frozenset[str] = PARTS,
    prepare: Callable[[House], Awaitable[None]] | None = None,
    ready: Callable[[], None] | None = None,
    stop: asyncio.Event | None = None,
    answers: Answers | None = None,
    embedders: tuple[Embedder, ...] = (),
    prompts: Sequence[Prompt] = (),
) -> None:
    """Run the named parts until SIGINT, SIGTERM or `stop`; then drain and close.

    `prepare` runs before the parts do; `answers` and `embedders` stand in for the settings' own,
    `prompts` for the questions that are suggested to newcomers.

    Raises:
        KnowledgeError, BotError: it can't start; the message says what to do.
    """
    settings.require_slack()
    stop = stop or asyncio.Event()
    async with AsyncExitStack() as stack:
        _stop_on_signals(stop, stack)
        models = "worker" in only and answers is None and not embedders
        house = await stack.enter_async_context(_founded(knowledge, settings, models=models))
        if embedders:
            house = replace(house, embedders=embedders)
        if prepare is not None:
            await prepare(house)
        # Stopped in the reverse order: what takes in goes first, what works drains last.
        if "worker" in only:
            await stack.enter_async_context(_worker(house, answers, prompts))
        if "clock" in only:
            await stack.enter_async_context(_clock(house))
        if "bot" in only:
            await stack.enter_async_context(_bot(house))
        logger.info(
            "Lorewise is ready (%s, %s mode).",
            ", ".join(sorted(only)),
            settings.mode,
            extra={"action": "ready", "parts": sorted(only), "mode": settings.mode},
        )
        if ready is not None:
            ready()
        await stop.wait()
        logger.info("Stopping: running answers may finish.", extra={"action": "stopping"})


@asynccontextmanager
async def _founded(
    knowledge: KnowledgeSettings, settings: BotSettings, *, models: bool
) -> AsyncIterator[House]:
    database = await open_database(knowledge)
    try:
        async with aiohttp.ClientSession() as session:
            client = make_client(settings, session)
            us = await identify(client, settings.slack_api_url)
            embedders = await open_live_embedders(knowledge, database) if models else ()
            yield House(knowledge, settings, database, client, us, embedders)
    finally:
        await database.close()


def _stop_on_signals(stop: asyncio.Event, stack: AsyncExitStack) -> None:
    """The first signal stops, the second ends the process as it would without us."""
    loop = asyncio.get_running_loop()

    def heard(name: signal.Signals) -> None:
        stop.set()
        loop.remove_signal_handler(name)

    for name in (signal.SIGINT, signal.SIGTERM):
        # Outside the main thread (a test, a notebook) signals are somebody else's.
        with contextlib.suppress(RuntimeError, ValueError):
            loop.add_signal_handler(name, heard, name)
            stack.callback(loop.remove_signal_handler, name)


# the bot: taking in


@asynccontextmanager
async def _bot(house: House) -> AsyncIterator[None]:
    door = connect(house.database.url, pool_size=DOOR_CONNECTIONS)
    settings = house.settings
    reactions = Reactions.of(settings)
    inbox = Inbox(
        door=door,
        queue=jobs.make_queue(house.database),  # never opened: jobs go in with the event
        us=house.us,
        reactions=reactions.positive | reactions.negative,
        follow_ups=settings.follow_ups,
        receipt=_receipt,
    )
    bolt = make_bolt(house.client, house.us, inbox)
    opened = _socket(house, bolt) if settings.mode == "socket" else _http(house, bolt)
    try:
        async with opened:
            yield
    finally:
        await inbox.drain()
        await door.close()


def _receipt(arrival: Arrival) -> dict[str, Any] | None:
    """What a command is answered with at once."""
    if arrival.kind == "command" and arrival.payload.get("command") == "/ask":
        return {"response_type": "ephemeral", "text": Texts.of("en").get("looking")}
    return None


def make_bolt(client: AsyncWebClient, us: Identity, inbox: Inbox) -> AsyncApp:
    """Bolt behind the inbox. Whatever passes it has a listener, so that Slack gets no 404."""

    async def authorize(**_kwargs: Any) -> AuthorizeResult:
        # Fixed at the start: bolt would ask Slack for each event, and, were Slack away,
        # acknowledge what it didn't take.
        return AuthorizeResult(
            enterprise_id=None,
            team_id=us.team,
            bot_token=client.token,
            bot_id=us.bot,
            bot_user_id=us.user,
        )

    bolt = AsyncApp(
        name="lorewise",
        logger=logging.getLogger("bot.bolt"),
        client=client,
        authorize=authorize,
        before_authorize=inbox,
        request_verification_enabled=False,  # the guard has done it, on the raw bytes
        attaching_conversation_kwargs_enabled=False,
    )

    async def acknowledge(ack: Callable[[], Any]) -> None:
        await ack()

    anything = re.compile(".*", re.DOTALL)
    bolt.action(anything)(acknowledge)
    bolt.view(anything)(acknowledge)
    bolt.view_closed(anything)(acknowledge)
    bolt.options(anything)(acknowledge)
    return bolt


@asynccontextmanager
async def _socket(house: House, bolt: AsyncApp) -> AsyncIterator[None]:
    token = house.settings.slack_app_token
    assert token is not None
    try:  # the handler would try a wrong token for ever
        await house.client.apps_connections_open(app_token=token.get_secret_value())
    except SlackApiError as error:
        raise refused("LOREWISE_SLACK_APP_TOKEN", error) from error
    handler = AsyncSocketModeHandler(bolt, token.get_secret_value(), web_client=house.client)
    try:
        await handler.connect_async()  # type: ignore[no-untyped-call]
        yield
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


@asynccontextmanager
async def _http(house: House, bolt: AsyncApp) -> AsyncIterator[None]:
    settings = house.settings
    assert settings.slack_signing_secret is not None
    door = Door(bolt, house.database, settings.slack_signing_secret.get_secret_value())
    listener = Listener(
        Starlette(routes=list(door.routes(settings.http_path))),
        settings.http_host,
        settings.http_port,
    )
    await listener.start()
    try:
        yield
    finally:
        await listener.stop()


# the worker: answering


@asynccontextmanager
async def _worker(
    house: House, answers: Answers | None, prompts: Sequence[Prompt]
) -> AsyncIterator[None]:
    # The model's thread runs Python between its kernels and holds the interpreter's lock for up to
    # this long each time the loop wants it; an acknowledgement wants it about ten times.
    sys.setswitchinterval(SWITCH_SECONDS)
    answerer = answers or await load_answerer(house.knowledge, house.database, house.embedders)
    stops = Stops()
    settings = house.settings
    people = People(house.client, house.us.team, frozenset(settings.admins))
    heard = {signals.STOP: stops.heard, signals.MEMBER: people.heard}

    def make() -> Queue:
        queue = jobs.make_queue(house.database)
        jobs.register(
            queue, _handlers(house, queue, answerer, stops=stops, people=people, prompts=prompts)
        )
        return queue

    up = asyncio.Event()
    worker = jobs.Worker(
        make,
        house.database,
        concurrency=settings.worker_concurrency,
        shutdown_seconds=settings.shutdown_seconds,
        ready=up.set,
    )
    tasks = [
        asyncio.create_task(worker.run(), name="worker"),
        asyncio.create_task(signals.listen(house.database.conninfo(), heard), name="signals"),
    ]
    if isinstance(house.embedders, LiveEmbedders):
        tasks.append(asyncio.create_task(house.embedders.follow(), name="embedders"))
    try:
        await up.wait()
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if isinstance(answerer, Answerer):
            await answerer.close()


def _handlers(
    house: House,
    queue: Queue,
    answerer: Answers,
    *,
    stops: Stops,
    people: People,
    prompts: Sequence[Prompt],
) -> jobs.Handlers:
    settings, client, us = house.settings, house.client, house.us
    ledger = Ledger(house.database, us.team)
    kinds = kinds_with(client, us, house.database)
    outlet = Outlet(client, us)
    conversation = Conversation(
        us=us,
        ledger=ledger,
        people=people,
        threads=Threads(client, us),
        outlet=outlet,
        answers=answerer,
        stops=stops,
        history_turns=settings.history_turns,
    )
    commands = Commands(
        database=house.database,
        queue=queue,
        people=people,
        outlet=outlet,
        admins=settings.admins,
    )
    reindexing = Reindexing(
        database=house.database,
        settings=house.knowledge,
        embedders=house.embedders,
        ledger=ledger,
        people=people,
        client=client,
        kinds=kinds,
    )
    live = LiveHistory(
        database=house.database,
        settings=house.knowledge,
        embedders=house.embedders,
        ledger=ledger,
        kind=kinds[KIND],
        later=partial(jobs.look_again, queue),
    )
    feedback = Feedback(
        house.database,
        client,
        Reactions.of(settings),
        team=us.team,
        language_of=people.language_of,
    )
    home = Home(
        house.database,
        client,
        us,
        readers_alone=people.readers_alone,
        language_of=people.language_of,
        prompts=prompts,
    )

    async def ask(arrival: Arrival) -> None:
        await take_in(queue, house.database, arrival)

    events = Events(ledger=ledger, commands=commands, feedback=feedback, home=home, ask=ask)

    async def tidy() -> None:
        await ledger.forget(jobs.KEPT_DAYS)

    return jobs.Handlers(
        answer=conversation.answer,
        event=events.handle,
        history=live.follow,
        reindex=reindexing.run,
        tidy=tidy,
        gave_up=conversation.gave_up,
    )


# the clock


async def own_schedules(database: Database) -> list[Ticking]:
    """The sources with a cron of their own.

    Slack's channels, which Slack lets us read slowly, don't keep the others waiting.
    """
    return [
        Ticking(
            jobs.REINDEX_TASK,
            source.schedule,
            {"source": source.name},
            lock=f"{jobs.REINDEX_TASK} {KIND}" if source.kind == KIND else None,
        )
        for source in await registered_sources(database)
        if source.schedule
    ]


@asynccontextmanager
async def _clock(house: House) -> AsyncIterator[None]:
    settings = house.settings
    clock = Clock(
        house.database,
        jobs.make_queue(house.database),
        settings.zone,
        (
            Ticking(jobs.REINDEX_TASK, settings.reindex_cron),
            Ticking(jobs.TIDY_TASK, "40 4 * * *"),
        ),
        also=partial(own_schedules, house.database),
    )
    await clock.start()
    try:
        yield
    finally:
        clock.stop()
