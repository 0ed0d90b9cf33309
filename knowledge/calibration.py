"""The decision to answer: a small logistic model over the signals, fitted on known questions.

`lorewise evaluate calibrate` fits one for the embedders in use and stores it with the index; until
then the one that is shipped decides (default_calibration.json says what it was fitted on).
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import text

from knowledge.database import Database

_DEFAULT = Path(__file__).with_name("default_calibration.json")
_CURRENT = text("SELECT * FROM calibration WHERE models = :models")
_STORE = text(
    "INSERT INTO calibration VALUES (:models, :fitted_at, CAST(:model AS jsonb), :threshold, "
    ":data_hash, CAST(:figures AS jsonb)) ON CONFLICT (models) DO UPDATE SET "
    "fitted_at = excluded.fitted_at, model = excluded.model, threshold = excluded.threshold, "
    "data_hash = excluded.data_hash, figures = excluded.figures"
)


@dataclass(frozen=True, slots=True)
class Weight:
    """One signal's part: its mean and spread where it was fitted, and its coefficient."""

    mean: float
    scale: float
    coefficient: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted model; `threshold` is the probability from which a question is answered."""

    models: tuple[str, ...]
    """The embedders that the signals came from."""
    fitted_at: datetime
    weights: Mapping[str, Weight]
    intercept: float
    threshold: float
    data_hash: str
    figures: Mapping[str, Any]

    def probability(self, signals: Mapping[str, float]) -> float:
        """How likely it is that the documents hold the answer, 0 to 1."""
        score = self.intercept + sum(
            weight.coefficient * (signals[name] - weight.mean) / weight.scale
            for name, weight in self.weights.items()
        )
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, score))))

    def suffices(self, signals: Mapping[str, float]) -> bool:
        """Whether there is enough to answer from."""
        return self.probability(signals) >= self.threshold

    def as_json(self) -> dict[str, Any]:
        """All of it, as it is shipped and printed."""
        return {
            "models": list(self.models),
            "fitted_at": self.fitted_at.isoformat(),
            "weights": {
                name: [weight.mean, weight.scale, weight.coefficient]
                for name, weight in self.weights.items()
            },
            "intercept": self.intercept,
            "threshold": self.threshold,
            "data_hash": self.data_hash,
            "figures": dict(self.figures),
        }


def calibration_of(found: Mapping[str, Any]) -> Calibration:
    """Read what `as_json` has written."""
    return Calibration(
        models=tuple(found["models"]),
        fitted_at=datetime.fromisoformat(found["fitted_at"]),
        weights={name: Weight(*numbers) for name, numbers in found["weights"].items()},
        intercept=found["intercept"],
        threshold=found["threshold"],
        data_hash=found["data_hash"],
        figures=found["figures"],
    )


@lru_cache(maxsize=1)
def default_calibration() -> Calibration:
    """The one that is shipped."""
    return calibration_of(json.loads(_DEFAULT.read_text("utf-8")))


@dataclass(frozen=True, slots=True)
class Calibrations:
    """The calibrations that are stored with an index."""

    database: Database

    async def current(self, models: Sequence[str]) -> Calibration:
        """The one of these embedders; the shipped one where none was fitted for them.

        One row by its key, looked up for each question: a new one counts at once, everywhere.
        """
        async with self.database.app.begin() as connection:
            row = (await connection.execute(_CURRENT, {"models": sorted(models)})).first()
        if row is None:
            return default_calibration()
        return calibration_of(
            {
                **row.model,
                "models": row.models,
                "fitted_at": row.fitted_at.isoformat(),
                "threshold": row.threshold,
                "data_hash": row.data_hash,
                "figures": row.figures,
            }
        )

    async def store(self, calibration: Calibration) -> None:
        """Keep it for its embedders, in place of the one before."""
        written = calibration.as_json()
        model = {name: written[name] for name in ("weights", "intercept")}
        async with self.database.indexer.begin() as connection:
            await connection.execute(
                _STORE,
                {
                    "models": sorted(calibration.models),
                    "fitted_at": calibration.fitted_at,
                    "model": json.dumps(model),
                    "threshold": calibration.threshold,
                    "data_hash": calibration.data_hash,
                    "figures": json.dumps(written["figures"]),
                },
            )
