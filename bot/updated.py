"""An answer as ordinary messages that are changed while it grows: for a Slack without streams."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from slack_sdk.errors import SlackApiError

from bot.blocks import Block, Post, posts
from bot.posting import Mark, Poster, code_of

OnMessage = Callable[[str, str], Awaitable[None]]

# Somebody deleted the message, or this Slack lets nobody change it: a new one is written.
CANNOT_CHANGE = frozenset(
    {
        "message_not_found", "cant_update_message", "edit_window_closed", "unknown_method",
        "not_allowed_token_type", "missing_scope", "feature_not_enabled", "method_deprecated",
    }
)  # fmt: skip
UPDATE = "chat.update"


class UpdateWriter:
    """Shows a growing text; `ts` are its messages. `start` and `part` are how much of the text,
    in how many messages, is shown already by a stream that broke off."""

    def __init__(
        self,
        poster: Poster,
        question_id: UUID,
        on_message: OnMessage,
        *,
        start: int = 0,
        part: int = 0,
    ) -> None:
        self._poster, self._question_id, self._on_message = poster, question_id, on_message
        self._start, self._part = start, part
        self._shown: list[Post] = []
        self.ts: list[str] = []

    @property
    def can_update(self) -> bool:
        """Whether messages can be changed at all."""
        return self._poster.features.has(self._poster.place.team, UPDATE)

    async def begin(self, text: str) -> None:
        """A first message, which says that the answer is coming."""
        if self.can_update:
            await self._show(0, Post(text, posts(text)[0].blocks), self._mark(0))

    async def show(self, markdown: str) -> None:
        """Show all of `markdown`, which begins with what was shown before."""
        if not self.can_update or not (rest := markdown[self._start :].strip()):
            return
        for index, post in enumerate(posts(rest)):
            await self._show(index, post, self._mark(index))

    async def finish(
        self, markdown: str, below: Sequence[Block], answer_id: UUID | None, text: str
    ) -> None:
        """Show all of the text, and what stands below it under the last message.

        `text` stands for a last message that has nothing but what stands below.
        """
        made = posts(markdown[self._start :].strip(), below)
        if len(made) == 1 and not markdown[self._start :].strip():
            made = (Post(text, made[0].blocks),)
        for index, post in enumerate(made):
            last = index == len(made) - 1
            await self._show(index, post, self._mark(index, answer_id if last else None))

    def _mark(self, index: int, answer_id: UUID | None = None) -> Mark:
        return Mark(self._question_id, self._part + index, answer_id)

    async def _show(self, index: int, post: Post, mark: Mark) -> None:
        if index < len(self.ts):
            if self._shown[index] == post and mark.answer_id is None:
                return
            if await self._updated(index, post, mark):
                return
        ts = await self._poster.post(post, mark)
        self.ts[index : index + 1] = [ts]
        self._shown[index : index + 1] = [post]
        await self._on_message(self._poster.place.channel, ts)

    async def _updated(self, index: int, post: Post, mark: Mark) -> bool:
        try:
            await self._poster.update(self.ts[index], post, mark)
        except SlackApiError as error:
            code = code_of(error)
            if code == "ratelimited" and mark.answer_id is None:
                return True  # a later update shows it
            if code not in CANNOT_CHANGE:
                raise
            if code != "message_not_found":
                self._poster.note_refusal(UPDATE, error)
            return False
        self._shown[index] = post
        return True
