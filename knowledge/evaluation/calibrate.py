"""Fits the decision to answer on questions of which it is known whether there is an answer.

A logistic regression with an L2 penalty over standardised signals (scikit-learn); its strength is
chosen, and all figures are made, by cross-validation, so that no question judges itself.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge.calibration import Calibration, Weight
from knowledge.errors import EvaluationError
from knowledge.evaluation.indexed import READERS
from knowledge.evaluation.questions import KnownQuestion
from knowledge.evaluation.retrieval import Asking
from knowledge.findings import find_evidence
from knowledge.languages import ENGLISH, detect
from knowledge.search import Search
from knowledge.signals import NAMES, signals_of

FEWEST = 10
"""Questions of each kind, below which nothing can be fitted."""
FOLDS = 5
REPEATS = 5
STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0)
RATES = (0.05, 0.10, 0.20)
"""The shares of false refusals that are always reported."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """A question's signals, and whether it has an answer."""

    id: str
    answerable: bool
    signals: Mapping[str, float]


async def samples_of(
    search: Search,
    questions: Sequence[KnownQuestion],
    *,
    passages: int,
    tell: Callable[[Asking], None] | None = None,
    hidden: Mapping[str, frozenset[str]] | None = None,
) -> list[Sample]:
    """The signals of each question, one after the other.

    `hidden` names, by the question's id, the readers who may read all but its documents: the
    question is asked as one of them too, and has no answer then.
    """
    found: list[Sample] = []
    for number, known in enumerate(questions, 1):
        readers = [(READERS, known.answerable)]
        if known.answerable and hidden and known.id in hidden:
            readers.append((hidden[known.id], False))
        for audience, answerable in readers:
            language = detect(known.question, among=(ENGLISH,))
            findings = await find_evidence(search, known.question, language, audience, passages)
            found.append(Sample(known.id, answerable, signals_of(findings)))
        if tell:
            tell(Asking(number, len(questions)))
    return found


@dataclass(frozen=True, slots=True)
class Curve:
    """What a threshold would do: of each share of false refusals the share rightly refused."""

    auc: float
    refused: Mapping[float, float]
    points: tuple[tuple[float, float], ...]
    """False and right refusals over all thresholds, for a plot."""

    def as_json(self) -> dict[str, Any]:
        """Rounded, as it is printed and stored."""
        return {
            "auc": round(self.auc, 4),
            "refused_at": {f"{rate:.2f}": round(v, 4) for rate, v in self.refused.items()},
        }


def fit(
    samples: Sequence[Sample],
    models: Sequence[str],
    *,
    false_refusals: float,
    names: Sequence[str] = NAMES,
) -> tuple[Calibration, Curve]:
    """A calibration that refuses about this share of the answerable questions, and its curve.

    Raises:
        EvaluationError: there are too few questions of a kind.
    """
    from sklearn.linear_model import LogisticRegression

    answerable = np.array([sample.answerable for sample in samples])
    fewest = min(int(answerable.sum()), int((~answerable).sum()))
    if fewest < FEWEST:
        raise EvaluationError(
            f"There are {int(answerable.sum())} answerable and {int((~answerable).sum())} other "
            f"questions; fitting needs {FEWEST} of each. Add some, or use --hide."
        )
    matrix = np.array([[sample.signals[name] for name in names] for sample in samples])
    means, scales = matrix.mean(axis=0), matrix.std(axis=0)
    scales[scales < 1e-9] = 1.0  # a signal that is the same everywhere says nothing
    standard = (matrix - means) / scales
    strength, unseen = _strongest(standard, answerable)
    fitted = LogisticRegression(C=strength, max_iter=5000).fit(standard, answerable)
    shown = curve(unseen, answerable)
    return Calibration(
        models=tuple(sorted(models)),
        fitted_at=datetime.now(UTC).replace(microsecond=0),
        weights={
            name: Weight(*(round(float(value), 5) for value in numbers))
            for name, *numbers in zip(names, means, scales, fitted.coef_[0], strict=True)
        },
        intercept=round(float(fitted.intercept_[0]), 5),
        threshold=round(float(np.quantile(unseen[answerable], false_refusals)), 5),
        data_hash=data_hash(samples),
        figures={
            "answerable": int(answerable.sum()),
            "unanswerable": int((~answerable).sum()),
            "false_refusals_wanted": false_refusals,
            "strength": strength,
            "cross_validated": shown.as_json(),
        },
    ), shown


def _strongest(standard: Matrix, answerable: NDArray[np.bool_]) -> tuple[float, Matrix]:
    """The strength with the least cross-validated loss, and what it says of unseen questions."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    found: list[tuple[float, float, Matrix]] = []
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=5000)
        unseen = np.mean(
            [
                cross_val_predict(
                    model,
                    standard,
                    answerable,
                    cv=StratifiedKFold(FOLDS, shuffle=True, random_state=seed),
                    method="predict_proba",
                )[:, 1]
                for seed in range(REPEATS)
            ],
            axis=0,
        )
        found.append((float(log_loss(answerable, unseen)), strength, unseen))
    _, strength, unseen = min(found, key=lambda each: each[:2])
    return strength, unseen


def curve(probabilities: Matrix, answerable: NDArray[np.bool_]) -> Curve:
    """How the probabilities part the two kinds."""
    from sklearn.metrics import roc_auc_score

    right, wrong = probabilities[answerable], probabilities[~answerable]
    thresholds = [float(np.quantile(right, rate)) for rate in RATES]
    return Curve(
        auc=float(roc_auc_score(answerable, probabilities)),
        refused={
            rate: float((wrong < threshold).mean())
            for rate, threshold in zip(RATES, thresholds, strict=True)
        },
        points=tuple(
            (step / 20, float((wrong < np.quantile(right, step / 20)).mean())) for step in range(21)
        ),
    )


def judged(calibration: Calibration, samples: Sequence[Sample]) -> dict[str, Any]:
    """What a calibration does with other questions than those that it was fitted on."""
    answerable = np.array([sample.answerable for sample in samples])
    found = np.array([calibration.probability(sample.signals) for sample in samples])
    refused = found < calibration.threshold
    both = bool(answerable.any() and (~answerable).any())
    return {
        "answerable": int(answerable.sum()),
        "unanswerable": int((~answerable).sum()),
        "false_refusal": round(float(refused[answerable].mean()), 4) if answerable.any() else None,
        "refused": round(float(refused[~answerable].mean()), 4) if (~answerable).any() else None,
        **(curve(found, answerable).as_json() if both else {}),
    }


def data_hash(samples: Sequence[Sample]) -> str:
    """Which questions it was, and what was found for them."""
    rows = [(s.id, s.answerable, [round(s.signals[name], 4) for name in NAMES]) for s in samples]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
