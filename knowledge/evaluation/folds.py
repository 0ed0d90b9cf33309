"""Hides documents: who asks as a fold's reader finds everything but the fold's documents.

So a question whose documents are all of one fold gets a twin without an answer, among the same
near but wrong documents.
"""

import zlib
from collections.abc import Iterable

from knowledge.evaluation.indexed import READERS
from knowledge.evaluation.questions import KnownQuestion

FOLDS = 5


def fold_of(document: str) -> int:
    """A document's fold, by its id alone."""
    return zlib.crc32(document.encode(errors="replace")) % FOLDS


def readers_of(document: str) -> frozenset[str]:
    """Who may read a document: everyone, and the readers of all other folds."""
    return READERS | {f"fold:{fold}" for fold in range(FOLDS) if fold != fold_of(document)}


def hidden_readers(questions: Iterable[KnownQuestion]) -> dict[str, frozenset[str]]:
    """By question the readers who may not read its documents, where these are of one fold."""
    found: dict[str, frozenset[str]] = {}
    for question in questions:
        folds = {fold_of(document) for document in question.documents}
        if len(folds) == 1:
            found[question.id] = frozenset({f"fold:{folds.pop()}"})
    return found
