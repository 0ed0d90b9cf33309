"""What a workspace lacks, remembered for a while, so that it isn't tried before every answer."""

import time
from collections.abc import Callable

REMEMBERED_SECONDS = 3_600.0  # a workspace is upgraded, a scope is granted: look again each hour

# The method isn't there or isn't for us; asking again changes nothing.
REFUSALS = frozenset(
    {
        "unknown_method", "missing_scope", "feature_not_enabled", "not_allowed_token_type",
        "invalid_arguments", "method_deprecated", "method_not_supported_for_channel_type",
        "access_denied", "no_permission", "not_allowed", "team_access_not_granted",
        "plan_upgrade_required", "enterprise_is_restricted", "accesslimited", "restricted_action",
        "not_supported", "deprecated_endpoint",
    }
)  # fmt: skip


class Features:
    """Methods and blocks that a workspace refused lately, by (team, name)."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, seconds: float = REMEMBERED_SECONDS
    ) -> None:
        self._now, self._seconds = now, seconds
        self._until: dict[tuple[str, str], float] = {}

    def has(self, team: str, name: str) -> bool:
        """Whether it is worth trying."""
        return self._until.get((team, name), 0.0) <= self._now()

    def refused(self, team: str, name: str) -> None:
        """Remember that the workspace doesn't have it."""
        self._until[team, name] = self._now() + self._seconds
