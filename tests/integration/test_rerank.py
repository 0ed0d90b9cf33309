"""A cross-encoder's second look: a real model, tiny and untrained, made here."""

from pathlib import Path

import numpy as np
import pytest

from knowledge.database import Database
from knowledge.errors import ModelNotFoundError
from knowledge.rerank import CANDIDATES, load_reranker
from knowledge.search import Search
from tests.search_corpus import Page, add

EVERYONE = frozenset({"everyone"})
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{n}" for n in range(60)), "leave"]


def make_cross_encoder(folder: Path, labels: int = 1) -> Path:
    """A BERT of two layers with a vocabulary of its own, as sentence-transformers saves it."""
    import torch
    from sentence_transformers import CrossEncoder
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import BertProcessing
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    torch.manual_seed(5)
    base = Tokenizer(WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    base.pre_tokenizer = Whitespace()
    base.post_processor = BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=base, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]", model_max_length=64,
    )  # fmt: skip
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64, initializer_range=0.5,
    )  # fmt: skip
    config.num_labels = labels
    plain = folder / "plain"
    BertForSequenceClassification(config).save_pretrained(plain)
    tokenizer.save_pretrained(plain)
    CrossEncoder(str(plain), device="cpu").save_pretrained(str(folder / "model"))
    return folder / "model"


@pytest.mark.models
async def test_the_best_hits_come_in_the_order_of_the_cross_encoder(
    database: Database, tmp_path: Path
) -> None:
    folder = make_cross_encoder(tmp_path)
    pages = [Page(f"leave w{n} w{59 - n} w{n // 2}") for n in range(CANDIDATES + 10)]
    await add(database, pages)
    reranker = load_reranker(str(folder), tmp_path)
    plain = await Search(database).find("leave w3", EVERYONE, k=CANDIDATES + 10)
    near = plain.hits[:CANDIDATES]
    scores = await reranker.scores("leave w3", [f"{hit.title}\n{hit.text}" for hit in near])
    assert len(np.unique(scores)) > CANDIDATES // 2
    found = await Search(database, reranker=reranker).find("leave w3", EVERYONE, k=CANDIDATES + 10)
    expected = [near[n].chunk_id for n in np.argsort(-scores, kind="stable")]
    assert expected != [hit.chunk_id for hit in near]
    assert [hit.chunk_id for hit in found.hits[:CANDIDATES]] == expected
    assert found.hits[CANDIDATES:] == plain.hits[CANDIDATES:]
    assert [hit.rank for hit in found.hits] == list(range(1, CANDIDATES + 11))
    few = await Search(database, reranker=reranker).search("leave w3", EVERYONE, k=3)
    assert [hit.chunk_id for hit in few] == expected[:3]
    assert len(await reranker.scores("leave", [])) == 0
    await reranker.close()


@pytest.mark.models
def test_a_model_that_cannot_rank_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="LOREWISE_RERANK_MODEL"):
        load_reranker(str(make_cross_encoder(tmp_path, labels=3)), tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelNotFoundError, match="LOREWISE_RERANK_MODEL"):
        load_reranker(str(tmp_path / "empty"), tmp_path)
