"""Where a sync of channels ended: the source's cursor, read and written."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Known = dict[str, list[Any]]
"""The documents of the last weeks by the end of their key, with what the thread looked like."""


@dataclass(slots=True)
class Place:
    """One channel: was it private, and which documents of the look-back there were."""

    private: bool
    newest: str = "0"
    known: Known = field(default_factory=dict)


@dataclass(slots=True)
class State:
    """The cursor. `complete_at`: when the last telling of everything in one piece ended;
    `before`: how far a telling that was cut has come, by channel ("" where it is through)."""

    options: str
    channels: dict[str, Place] = field(default_factory=dict)
    complete_at: float | None = None
    before: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def of(cursor: Mapping[str, Any] | None, options: str) -> "State":
        """The state of a cursor; an empty one where the options are others than then."""
        if not cursor or cursor.get("options") != options:
            return State(options)
        places = {
            channel: Place(place["private"], place["newest"], dict(place["known"]))
            for channel, place in cursor["channels"].items()
        }
        return State(options, places, cursor.get("complete_at"), dict(cursor.get("before") or {}))

    def cursor(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "options": self.options,
            "channels": {
                channel: {"private": p.private, "newest": p.newest, "known": dict(p.known)}
                for channel, p in self.channels.items()
            },
            "complete_at": self.complete_at,
            "before": dict(self.before),
        }


def digest(*values: object) -> str:
    """Changes with what decides about the documents."""
    return hashlib.sha256(json.dumps([str(value) for value in values]).encode()).hexdigest()[:16]
