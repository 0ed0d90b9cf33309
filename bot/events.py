"""Everything out of the inbox that is no question: commands, votes, tabs."""

import logging
from collections.abc import Awaitable, Callable, Mapping

from bot.commands import Commands
from bot.ledger import Ledger, Taken

logger = logging.getLogger(__name__)

Handle = Callable[[Taken], Awaitable[str]]
"""Works on a payload and says in a word what came of it."""


class Events:
    """Hands each payload to whoever works on its kind."""

    def __init__(
        self, *, ledger: Ledger, commands: Commands, others: Mapping[str, Handle] | None = None
    ) -> None:
        self._ledger = ledger
        self._handles: dict[str, Handle] = {
            "command": commands.carry_out,
            "left": _say_goodbye,
            **(others or {}),
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


async def _say_goodbye(taken: Taken) -> str:
    logger.error(
        "Slack took the app's token away (%s): install the app again.",
        taken.payload.get("type"),
        extra={"action": "token_lost"},
    )
    return "token_lost"
