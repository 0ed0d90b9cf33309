"""Rate limiting as Slack does it: per method and, for posting, per channel."""

import math
from collections import defaultdict, deque
from collections.abc import Callable

from bot.playground.errors import RateLimitedError
from bot.playground.limits import TIER_3, Limits


class RateLimiter:
    """Counts calls in a sliding window, and posts per channel in a leaky bucket."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._calls: dict[str, deque[float]] = defaultdict(deque)
        self._posts: dict[str, tuple[float, float]] = {}

    def count(self, method: str, limits: Limits) -> None:
        """Count one call of `method`, or raise RateLimitedError."""
        if not limits.rate_limiting:
            return
        allowed = limits.calls_per_minute.get(method, TIER_3)
        calls, now = self._calls[method], self._now()
        while calls and calls[0] <= now - limits.window_seconds:
            calls.popleft()
        if len(calls) >= allowed:
            raise RateLimitedError(max(1, math.ceil(calls[0] + limits.window_seconds - now)))
        calls.append(now)

    def count_post(self, channel: str, limits: Limits) -> None:
        """Count one message to `channel`, or raise RateLimitedError."""
        if not limits.rate_limiting:
            return
        now, per_second = self._now(), limits.posts_per_second_per_channel
        level, since = self._posts.get(channel, (0.0, now))
        level = max(0.0, level - (now - since) * per_second)
        if level + 1 > limits.posts_in_a_burst:
            wait_seconds = (level + 1 - limits.posts_in_a_burst) / per_second
            raise RateLimitedError(max(1, math.ceil(wait_seconds)))
        self._posts[channel] = (level + 1, now)
