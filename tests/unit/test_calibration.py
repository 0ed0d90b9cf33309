"""The decision to answer: fitted on known questions, the same when it is read again."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from knowledge.calibration import calibration_of, default_calibration
from knowledge.errors import EvaluationError
from knowledge.evaluation.calibrate import Sample, curve, fit, judged
from knowledge.signals import NAMES


def samples(count: int, seed: int = 0, apart: float = 2.0) -> list[Sample]:
    """Questions of which one signal parts the kinds, and the others are noise."""
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        answerable = bool(number % 3)
        signals = dict(zip(NAMES, random.normal(size=len(NAMES)).tolist(), strict=True))
        signals["relevance"] += apart * answerable
        signals["concentration"] = 0.0  # never: its spread is 0
        made.append(Sample(str(number), answerable, signals))
    return made


def test_the_shipped_calibration_weighs_the_signals_that_there_are() -> None:
    shipped = default_calibration()
    assert shipped.weights.keys() <= set(NAMES)
    assert 0 < shipped.threshold < 1
    assert shipped.figures["fitted_on"]


def test_what_parts_the_kinds_gets_the_weight() -> None:
    calibration, found = fit(samples(300), ["m"], false_refusals=0.10)
    ordered = sorted(calibration.weights, key=lambda n: -calibration.weights[n].coefficient)
    assert ordered[0] == "relevance"
    assert calibration.weights["concentration"].coefficient == pytest.approx(0, abs=1e-6)
    assert found.auc > 0.85
    assert found.refused[0.05] <= found.refused[0.10] <= found.refused[0.20]


def test_a_fresh_set_is_refused_at_about_the_wanted_rate() -> None:
    calibration, _ = fit(samples(600), ["m"], false_refusals=0.10)
    tested = judged(calibration, samples(600, seed=1))
    assert tested["false_refusal"] == pytest.approx(0.10, abs=0.05)
    assert tested["refused"] > 0.5
    strict, _ = fit(samples(600), ["m"], false_refusals=0.30)
    assert strict.threshold > calibration.threshold


def test_noise_promises_nothing() -> None:
    """Judged on the questions that it was fitted on, a dozen noises would look like a find."""
    _, found = fit(samples(120, apart=0.0), ["m"], false_refusals=0.10)
    assert 0.3 < found.auc < 0.65


def test_the_probability_is_that_of_the_library() -> None:
    made = samples(200)
    calibration, _ = fit(made, ["m"], false_refusals=0.10)
    matrix = np.array([[sample.signals[name] for name in NAMES] for sample in made])
    spread = matrix.std(axis=0)
    spread[spread < 1e-9] = 1
    standard = (matrix - matrix.mean(axis=0)) / spread
    answerable = [sample.answerable for sample in made]
    model = LogisticRegression(C=calibration.figures["strength"], max_iter=5000)
    expected = model.fit(standard, answerable).predict_proba(standard)[:, 1]
    ours = [calibration.probability(sample.signals) for sample in made]
    assert ours == pytest.approx(expected, abs=1e-3)


def test_a_calibration_survives_its_json(tmp_path: Path) -> None:
    calibration, _ = fit(samples(100), ["b", "a"], false_refusals=0.10)
    path = tmp_path / "c.json"
    path.write_text(json.dumps(calibration.as_json()))
    assert calibration_of(json.loads(path.read_text())) == calibration


def test_too_few_questions_of_a_kind_are_refused() -> None:
    with pytest.raises(EvaluationError, match="needs 10 of each"):
        fit(samples(27), ["m"], false_refusals=0.10)


def test_the_curve_of_a_perfect_parting() -> None:
    answerable = np.array([True] * 20 + [False] * 20)
    found = curve(np.linspace(1, 0, 40), answerable)
    assert found.auc == 1
    assert set(found.refused.values()) == {1.0}
