"""Failures on demand: what a bot must survive, switched on for the next calls of a method."""

from dataclasses import dataclass
from typing import Literal

FaultKind = Literal["rate_limited", "server_error", "half_response", "timeout", "error"]


@dataclass(slots=True)
class Fault:
    """One failure that the next `times` calls of a method answer with.

    With `takes_effect` the call is carried out and only its answer is spoilt, as when a
    connection breaks after Slack has already posted the message.
    """

    kind: FaultKind
    times: int = 1
    takes_effect: bool = False
    retry_after_seconds: int = 1
    hang_seconds: float = 60.0
    error: str = "internal_error"


class Faults:
    """The failures that are switched on in one workspace."""

    def __init__(self) -> None:
        self._faults: dict[str, list[Fault]] = {}
        self._missing: dict[str, str] = {}
        self.duplicate_events = 0

    def add(self, method: str, kind: FaultKind, **settings: object) -> Fault:
        """Let the next calls of `method` fail; `settings` are the fields of Fault."""
        fault = Fault(kind, **settings)  # type: ignore[arg-type]
        self._faults.setdefault(method, []).append(fault)
        return fault

    def take(self, method: str) -> Fault | None:
        """The failure for this call, if one is due; it counts as used."""
        waiting = self._faults.get(method, [])
        if not waiting:
            return None
        fault = waiting[0]
        fault.times -= 1
        if fault.times <= 0:
            waiting.pop(0)
        return fault

    def remove_method(self, method: str, error: str = "unknown_method") -> None:
        """Play an older workspace: `method` answers `error` (also `feature_not_enabled`)."""
        self._missing[method] = error

    def restore_method(self, method: str) -> None:
        """Undo `remove_method`."""
        self._missing.pop(method, None)

    def missing(self, method: str) -> str | None:
        """The error of a method that this workspace doesn't have."""
        return self._missing.get(method)

    def duplicate_next_events(self, count: int = 1) -> None:
        """Deliver each of the next `count` events twice under one event_id."""
        self.duplicate_events += count

    def take_duplicate(self) -> bool:
        """True when this event is to be delivered twice."""
        if self.duplicate_events <= 0:
            return False
        self.duplicate_events -= 1
        return True

    def clear(self) -> None:
        """Switch every failure off."""
        self._faults.clear()
        self._missing.clear()
        self.duplicate_events = 0
