"""What it takes to load an embedder again: stored beside its vectors, so never with a key."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

# The vectors of these precisions of the same weights answer each other's questions.
EXACT_PRECISIONS = frozenset({"bf16", "fp16", "fp32"})


@dataclass(frozen=True, slots=True)
class Recipe:
    """A model in this process, or behind an OpenAI-compatible server where `base_url` is given.

    Prompts of None are the model's own; a server adds none. `options` are put into a server's
    requests as they are, for example {"task": "retrieval.query"}.
    """

    model: str
    base_url: str | None = None
    dimensions: int | None = None
    width_tokens: int = 512
    """Of a model behind a server; one in this process knows its own."""
    query_prompt: str | None = None
    passage_prompt: str | None = None
    query_options: Mapping[str, Any] = field(default_factory=dict)
    passage_options: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> str:
        """The form in which it is stored."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """Read the stored form; what another version has added is left out."""
        known = {one.name for one in fields(cls)}
        return cls(**{key: value for key, value in stored.items() if key in known})

    @property
    def mark(self) -> str:
        """Tells recipes apart that make other vectors of the same passages; most often empty."""
        parts = [self.passage_prompt, dict(self.passage_options) or None]
        if not any(parts):
            return ""
        written = json.dumps(parts, ensure_ascii=False, sort_keys=True)
        return "+" + hashlib.sha256(written.encode()).hexdigest()[:6]


def same_space(first: str, second: str) -> bool:
    """Whether two embedders' vectors may be compared: the same model in another precision.

    Cosines between bfloat16 and float32 vectors of one text are above 0.999 (docs/LOG.md), so
    machines with and without bfloat16 share an index.
    """
    return first == second or (
        _space(first) == _space(second)
        and {_precision(first), _precision(second)} <= EXACT_PRECISIONS
    )


def _space(name: str) -> str:
    return name.rpartition("@")[0]


def _precision(name: str) -> str:
    return name.rpartition("@")[2]
