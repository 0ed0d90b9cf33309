"""Everything out of the inbox that is no question: commands, votes, tabs."""

import logging
from collections.abc import Awaitable, Callable

from bot.arrival import Arrival
from bot.commands import Commands
from bot.feedback import Feedback, is_feedback
from bot.home import Home, is_prompt
from bot.ledger import Ledger, Taken

logger = logging.getLogger(__name__)

Handle = Callable[[Taken], Awaitable[str]]
"""Works on a payload and says in a word what came of it."""


class Events:
    """Hands each payload to whoever works on its kind."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        commands: Commands,
        feedback: Feedback,
        home: Home,
        ask: Callable[[Arrival], Awaitable[None]],
    ) -> None:
        """`ask` takes in a question that didn't come by Slack's door: a sample one's button."""
        self._ledger, self._feedback, self._home, self._ask = ledger, feedback, home, ask
        self._handles: dict[str, Handle] = {
            "command": commands.carry_out,
            "reaction": self._reaction,
            "action": self._action,
            "home": self._opened,
            "left": _say_goodbye,
        }

    async def handle(self, event_id: int, attempt: int) -> None:
        """Work on one payload; does nothing where that was done before."""
        del attempt
        taken = await self._ledger.load(event_id)
        if taken is None or taken.finished:
            return
        handle = self._handles.get(taken.kind)
        outcome = await handle(taken) if handle else "ignored"
        await self._ledger.finish(event_id, outcome)

    async def _reaction(self, taken: Taken) -> str:
        return await self._feedback.reaction(taken.payload)

    async def _action(self, taken: Taken) -> str:
        actions = taken.payload.get("actions") or []
        if any(map(is_feedback, actions)):
            return await self._feedback.button(taken.payload)
        if any(map(is_prompt, actions)) and (asked := await self._home.pressed(taken.payload)):
            await self._ask(asked)
            return "asked"
        return "ignored"

    async def _opened(self, taken: Taken) -> str:
        return await self._home.opened(taken.payload)


async def _say_goodbye(taken: Taken) -> str:
    logger.error(
        "Slack took the app's token away (%s): install the app again.",
        taken.payload.get("type"),
        extra={"action": "token_lost"},
    )
    return "token_lost"
