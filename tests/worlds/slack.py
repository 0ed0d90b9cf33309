"""Channels of the playground, over its real HTTP server."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot.arrival import Identity
from bot.history import reader, slack_kind
from bot.playground.limits import Limits
from bot.playground.message import Message
from bot.playground.seed import ASK_HR, NORA, SAM, default_workspace
from bot.playground.server import Playground
from bot.playground.team import Channel
from knowledge.sources import KINDS
from tests.worlds.world import World


class SlackWorld(World):
    """Each name is a thread of #ask-hr, but "beta": a message alone in a channel of its own."""

    kind = "slack"
    tells_whole = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        workspace = default_workspace(limits=Limits(rate_limiting=False))
        self._playground = Playground(workspace)
        self._roots: dict[str, Message] = {}
        self._texts: dict[str, Message] = {}
        self._pauses = reader.PAUSES_SECONDS

    async def start(self) -> None:
        """Serve."""
        reader.PAUSES_SECONDS = (0.0, 0.0, 0.0)
        await self._playground.start()
        workspace = self._playground.workspace
        members = [workspace.bot.id, NORA, SAM]
        workspace.add_channel(Channel("C0BETA0000", "beta", members))
        self._session = aiohttp.ClientSession()
        client = AsyncWebClient(
            self._playground.bot_token, base_url=self._playground.api_url, session=self._session
        )
        us = Identity("T0PLAYGRND", "U0LOREWISE", "B0LOREWISE", self._playground.url)
        self.kinds = {**KINDS, "slack": slack_kind(client, us)}  # type: ignore[misc]

    async def close(self) -> None:
        """Serve no more."""
        reader.PAUSES_SECONDS = self._pauses
        await self._session.close()
        await self._playground.stop_serving()

    @property
    def location(self) -> str:
        """The channels."""
        return "ask-hr,beta"

    @property
    def options(self) -> Mapping[str, Any]:
        """Read by everyone."""
        return {"public": "everyone"}

    async def put(self, name: str, text: str) -> None:
        """Say it, or edit what was said."""
        play = self._playground
        if name in self._texts:
            message = self._texts[name]
            await play.edit(SAM, message.channel, message.ts, text)
        elif name == "beta":
            self._texts[name] = await play.say(SAM, "C0BETA0000", text)
        else:
            self._roots[name] = root = await play.say(NORA, ASK_HR, f"What of {name}?")
            self._texts[name] = await play.say(SAM, ASK_HR, text, root.ts)

    async def remove(self, name: str) -> None:
        """Delete what was said."""
        for user, messages in ((SAM, self._texts), (NORA, self._roots)):
            if message := messages.pop(name, None):
                await self._playground.delete(user, message.channel, message.ts)

    async def gone(self) -> None:
        """End the server."""
        await self._playground.stop_serving()
