"""What the bot says, in the languages that it speaks: one TOML file a language.

English has every text; a language that lacks one falls back to it. Placeholders are named, as in
`{minutes}`. Values are put in as they are: whoever passes one from outside escapes it first.
"""

import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

TextName = Literal[
    # asking
    "help", "help_commands", "empty", "empty_ask", "files", "files_only",
    # while an answer is being made
    "looking", "status_searching", "status_writing", "loading_1", "loading_2", "loading_3",
    # below an answer
    "sources", "page", "quoted", "quoted_model_failed", "verified", "verified_by", "stopped",
    # no answer
    "abstained_no_evidence", "abstained_nothing_readable", "abstained_model_failed",
    "abstained_model_unreachable", "nearest", "broken", "failed", "failed_model",
    "failed_database", "failed_slack", "failed_other",
    # feedback
    "feedback_good", "feedback_bad", "feedback_thanks",
    # administration
    "admins_only", "admins_only_these", "unknown_command", "reindex_queued", "reindex_all",
    "reindex_title", "reindex_waiting", "reindex_progress", "reindex_left", "reindex_begun",
    "reindex_done", "reindex_failed", "reindex_reason_failed", "reindex_reason_skipped",
    "reindex_rest", "reindex_more", "reindex_unknown",
    "sources_line", "sources_counts", "sources_error", "sources_none", "sources_scheduled",
    "sources_nightly", "sources_asked",
    "retrain_none", "status", "none", "too_many_questions", "question_too_long",
    # the Home tab and the suggested prompts
    "home_title", "home_what", "home_how", "home_try", "home_documents", "home_no_documents",
    "home_synced", "home_never_synced", "home_votes", "prompts_title",
    "prompt_1_title", "prompt_1", "prompt_2_title", "prompt_2", "prompt_3_title", "prompt_3",
]  # fmt: skip

FALLBACK = "en"
FSI, PDI = "\u2068", "\u2069"  # first strong isolate, pop directional isolate
UNTURNED = frozenset({"bar", "cron", "names"})  # in code marks, or set apart one by one
RIGHT_TO_LEFT = frozenset({"ar", "arc", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one language."""

    language: str
    texts: Mapping[str, str]

    @staticmethod
    def of(language: str | None) -> "Texts":
        """The texts for a language tag such as `ar-EG`; English where it isn't spoken."""
        short = (language or FALLBACK).replace("_", "-").partition("-")[0].lower()
        return _load(short if short in languages() else FALLBACK)

    def get(self, name: TextName, **values: object) -> str:
        """A text with its placeholders filled in."""
        text = self.texts.get(name) or _load(FALLBACK).texts[name]
        if self.right_to_left:
            values = {key: isolated(key, value) for key, value in values.items()}
        return text.format(**values)

    def listed(self, names: Iterable[str]) -> str:
        """Names with commas between them, each keeping to itself in a line from right to left."""
        return ", ".join(
            str(isolated("name", name)) if self.right_to_left else name for name in names
        )

    @property
    def right_to_left(self) -> bool:
        """Whether the language is written from right to left."""
        return is_right_to_left(self.language)


def isolated(name: str, value: object) -> object:
    """A name or link that runs from left to right, so that it neither turns the line around that
    it begins nor takes the punctuation beside it along."""
    if name in UNTURNED or not isinstance(value, str):
        return value
    kinds = (unicodedata.bidirectional(character) for character in value)
    first = next((kind for kind in kinds if kind in {"L", "R", "AL"}), None)
    return f"{FSI}{value}{PDI}" if first == "L" else value


def is_right_to_left(language: str) -> bool:
    """Whether a language (ISO 639) is written from right to left."""
    return language.partition("-")[0].lower() in RIGHT_TO_LEFT


@cache
def languages() -> frozenset[str]:
    """The languages that the bot speaks, by ISO 639-1."""
    return frozenset(
        entry.name.removesuffix(".toml")
        for entry in files(__name__).iterdir()
        if entry.name.endswith(".toml")
    )


@cache
def _load(language: str) -> Texts:
    content = (files(__name__) / f"{language}.toml").read_text("utf-8")
    return Texts(language, tomllib.loads(content))
