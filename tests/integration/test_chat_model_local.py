"""What only a model in this process does: adapters, refusals at load."""

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from knowledge.errors import ModelNotFoundError
from knowledge.generation import ChatMessage, load_chat_model
from knowledge.generation.local import BUNDLED_CHAT_MODELS
from knowledge.models import resolve_model

pytestmark = [
    pytest.mark.models,
    # peft 0.21 asks transformers 5.23 by the older name; nothing of ours can change that.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]
ASKED = [ChatMessage("user", "Name three fruits.")]


@pytest.fixture(scope="module")
def adapter(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random LoRA adapter, strong enough to change every answer."""
    base = resolve_model("SmolLM2-135M-Instruct", models_dir, BUNDLED_CHAT_MODELS).path
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    tuned = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
    assert isinstance(tuned, PeftModel)
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.02)
    folder = tmp_path_factory.mktemp("adapters") / "run-7"
    tuned.save_pretrained(str(folder))
    return folder


async def test_an_adapter_changes_the_answer_and_names_itself(
    models_dir: Path, adapter: Path
) -> None:
    answers = []
    for path in (None, adapter):
        chat = load_chat_model("SmolLM2-135M-Instruct", models_dir, adapter=path)
        answers.append("".join([text async for text in chat.stream(ASKED, max_new_tokens=12)]))
        assert (chat.adapter or "").startswith("run-7#" if path else "")
        await chat.close()
    assert answers[0] != answers[1]


def test_a_folder_without_an_adapter_is_a_clear_error(models_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "adapter_model.bin").touch()  # pickled weights are code
    with pytest.raises(ModelNotFoundError, match=r"no adapter_model\.safetensors"):
        load_chat_model("SmolLM2-135M-Instruct", models_dir, adapter=tmp_path)


def test_an_embedding_model_is_no_chat_model(models_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelNotFoundError, match="LOREWISE_CHAT_MODEL"):
        load_chat_model(str(tmp_path), models_dir)
