"""Counting tokens without a tokenizer."""

from pathlib import Path

import pytest

from knowledge.embedding import load_embedder
from knowledge.embedding.estimate import cut_to_tokens, estimate_tokens

SAMPLE = Path(__file__).parent.parent.parent / "bot" / "sample"
JAPANESE = (
    "新入社員は入社日から年に二十五日の有給休暇を取得できます。申請はポータルから行ってください。"
    * 8
)
FRENCH = "Les employés reçoivent vingt-cinq jours de congés payés par an, dès le premier jour. " * 8
TABLE = "| 2026-11-24 | 1,250.00 EUR | REF-20931-A |\n| --- | --- | --- |\n" * 12
CODE = (
    "kubectl get pods --namespace=prod -o jsonpath='{.items[*].status.podIP}' | xargs -n1 ping\n"
    * 8
)


@pytest.mark.models
@pytest.mark.parametrize("model", ["all-MiniLM-L6-v2", "multilingual-e5-small"])
def test_no_chunk_has_more_tokens_than_estimated(model: str, models_dir: Path) -> None:
    embedder = load_embedder(model, models_dir)
    pages = [path.read_text("utf-8") for path in sorted(SAMPLE.rglob("*.md"))]
    texts = [JAPANESE, FRENCH, TABLE, CODE]
    for page in pages:
        words = page.split()
        texts += [" ".join(words[at : at + 150]) for at in range(0, len(words) - 60, 150)]
    assert len(texts) > 50
    real = embedder.count_tokens(texts)
    shares = [count / estimate_tokens(text) for count, text in zip(real, texts, strict=True)]
    assert max(shares) <= 1
    assert sum(shares) / len(shares) > 0.65  # not so high that chunks become crumbs


def test_a_text_is_cut_to_the_estimated_width() -> None:
    text = "word " * 100
    cut = cut_to_tokens(text, 40)
    assert text.startswith(cut)
    assert estimate_tokens(cut) == 40
    assert cut_to_tokens("short", 40) == "short"
    assert cut_to_tokens("🎉" * 10, 4) == "🎉"
