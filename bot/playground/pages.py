"""The browser pages that are open on the playground, and what is pushed to them."""

import asyncio
from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

#: A page that doesn't read for this many updates is too far behind to be worth keeping.
BACKLOG = 2_000


class Pages:
    """Open pages by the person who looks at them; one person may have several."""

    def __init__(self) -> None:
        self._open: dict[str, set[asyncio.Queue[Json | None]]] = {}

    def connect(self, user: str) -> asyncio.Queue[Json | None]:
        """Open a page for `user`; its updates arrive in the queue, None ends them."""
        queue: asyncio.Queue[Json | None] = asyncio.Queue(BACKLOG)
        self._open.setdefault(user, set()).add(queue)
        return queue

    def disconnect(self, user: str, queue: asyncio.Queue[Json | None]) -> None:
        """Forget a page."""
        self._open.get(user, set()).discard(queue)

    def push(self, users: Iterable[str], update: Json) -> None:
        """Push one update to every page of `users`."""
        for user in set(users):
            for queue in list(self._open.get(user, ())):
                if queue.full():
                    self.disconnect(user, queue)
                else:
                    queue.put_nowait(update)

    def close(self) -> None:
        """End every page."""
        for queues in self._open.values():
            for queue in queues:
                if not queue.full():
                    queue.put_nowait(None)
        self._open.clear()
