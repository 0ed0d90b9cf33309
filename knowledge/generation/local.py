"""A chat model in this process: transformers, with a LoRA adapter on top if there is one."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from knowledge.convert_gguf import bundled_gguf, convert_gguf
from knowledge.errors import GenerationError, ModelNotFoundError, PromptTooLongError
from knowledge.generation.batch import BatchGenerator, Event, Request
from knowledge.generation.chat import ChatMessage
from knowledge.generation.text import Detokenizer, StopStrings
from knowledge.hardware import best_device, best_dtype
from knowledge.models import converted, fingerprint, hide_progress_bars, resolve_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MAX_ROWS = 8


def load_local_chat_model(
    model: str,
    models_dir: Path,
    *,
    adapter_path: Path | None = None,
    device: str | None = None,
    quantisation: Literal["nf4"] | None = None,
    repetition_penalty: float = 1.0,
    max_rows: int = MAX_ROWS,
) -> "LocalChatModel":
    """Load a causal language model by path, hub name or bundled name, and start its thread.

    `adapter_path` is a folder with a PEFT adapter in safetensors. "nf4" keeps the weights in
    4 bits (CUDA). At most `max_rows` questions run at once, others wait. Takes seconds: call
    it off the event loop. Raises ModelNotFoundError, ModelConversionError.
    """
    folder = resolve_model(model, models_dir, BUNDLED_CHAT_MODELS)
    loaded, tokenizer = _load(folder.path, model, device or best_device(), quantisation)
    adapter = None
    if adapter_path is not None:
        loaded, adapter = _with_adapter(loaded, adapter_path)
    loaded.train(False)
    generator = BatchGenerator(
        loaded,
        name=folder.name,
        end_tokens=_end_tokens(loaded, tokenizer),
        max_rows=max_rows,
        repetition_penalty=repetition_penalty,
    )
    return LocalChatModel(folder.name, adapter, loaded, tokenizer, generator)


class LocalChatModel:
    """A ChatModel over a BatchGenerator; made by `load_local_chat_model`."""

    def __init__(
        self,
        name: str,
        adapter: str | None,
        model: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerBase",
        generator: BatchGenerator,
    ) -> None:
        self.name = name
        self.adapter = adapter
        self.context_tokens = _context_tokens(model)
        self._tokenizer = tokenizer
        self._generator = generator

    @property
    def active(self) -> int:
        """How many questions wait or run."""
        return self._generator.active

    def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        """See ChatModel. Exact: the prompt is rendered by the model's own template."""
        return len(self._prompt(messages))

    async def stream(
        self,
        messages: Sequence[ChatMessage],
        *,
        max_new_tokens: int = 256,
        stop: Sequence[str] = (),
    ) -> AsyncGenerator[str, None]:
        """See ChatModel. Raises PromptTooLongError, OutOfMemoryError, GenerationError."""
        prompt = self._prompt(messages)
        self._check_length(len(prompt), max_new_tokens)
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[Event] = asyncio.Queue()
        request = Request(
            prompt=prompt,
            max_new_tokens=max_new_tokens,
            emit=partial(_hand_over, loop, events),
            detokenizer=Detokenizer(self._decode),
            stop=StopStrings(stop),
        )
        self._generator.submit(request)
        try:
            while (event := await events.get()) is not None:
                if isinstance(event, GenerationError):
                    raise event
                yield event
        finally:
            request.cancelled = True  # frees the row before the next token

    async def close(self) -> None:
        """See ChatModel."""
        await asyncio.to_thread(self._generator.close)

    def _prompt(self, messages: Sequence[ChatMessage]) -> list[int]:
        turns = [{"role": one.role, "content": one.content} for one in messages]
        ids = self._tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, tokenize=True, return_dict=False
        )
        return list(ids)

    def _decode(self, ids: list[int]) -> str:
        return str(
            self._tokenizer.decode(
                ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )

    def _check_length(self, prompt_tokens: int, max_new_tokens: int) -> None:
        if max_new_tokens < 1:
            raise ValueError("max_new_tokens must be at least 1.")
        if prompt_tokens + max_new_tokens > self.context_tokens:
            raise PromptTooLongError(
                f"The prompt has {prompt_tokens} tokens and its answer may have {max_new_tokens}, "
                f"but {self.name} reads {self.context_tokens} in all. Give it fewer or shorter "
                f"passages, or choose a model with a wider context."
            )


def _hand_over(
    loop: asyncio.AbstractEventLoop, events: "asyncio.Queue[Event]", event: Event
) -> None:
    """From the generation thread to the event loop of the waiter."""
    if not loop.is_closed():
        try:
            loop.call_soon_threadsafe(events.put_nowait, event)
        except RuntimeError:  # closed just now: nobody waits any more
            return


def _load(
    path: Path, model: str, device: str, quantisation: Literal["nf4"] | None
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    from transformers import AutoModelForCausalLM, AutoTokenizer

    options: dict[str, Any] = {"dtype": best_dtype(device), "device_map": device}
    if quantisation:
        options["quantization_config"] = _nf4(options["dtype"])
    safe = {"trust_remote_code": False, "local_files_only": True}
    hide_progress_bars()
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, **safe)
        loaded = AutoModelForCausalLM.from_pretrained(
            path, attn_implementation="sdpa", use_safetensors=True, **safe, **options
        )
    except (OSError, ValueError, ImportError) as error:
        raise ModelNotFoundError(
            f"The folder {path} of the chat model {model} cannot be loaded: {error} "
            f"Set LOREWISE_CHAT_MODEL to a causal language model with safetensors."
        ) from error
    _check_served(loaded, tokenizer, model)
    return loaded, tokenizer


def _nf4(compute_dtype: Any) -> Any:
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute_dtype,
    )


def _check_served(loaded: Any, tokenizer: Any, model: str) -> None:
    if not tokenizer.chat_template:
        raise ModelNotFoundError(
            f"The model {model} has no chat template. Choose one that is tuned for chat "
            f'(its name often ends in "Instruct").'
        )
    kinds = set(getattr(loaded.config.get_text_config(), "layer_types", None) or [])
    if kinds - {"full_attention", "sliding_attention"}:
        raise ModelNotFoundError(
            f"The model {model} has layers that Lorewise does not batch itself "
            f"({', '.join(sorted(kinds))}). Serve it with vLLM or another OpenAI-compatible "
            f"server and set LOREWISE_CHAT_BASE_URL."
        )


def _with_adapter(loaded: Any, path: Path) -> tuple[Any, str]:
    """Put a LoRA adapter on the model, under a name that no other adapter can have.

    The name that PEFT sees has a fixed width: PEFT compares names by substring.
    """
    from peft import PeftModel

    if not (path / "adapter_model.safetensors").is_file():
        raise ModelNotFoundError(
            f"The folder {path} holds no adapter_model.safetensors. Give the folder of a "
            f"promoted adapter (lorewise adapters list)."
        )
    mark = fingerprint(path)
    adapted = PeftModel.from_pretrained(loaded, path, adapter_name=f"adapter_{mark}")
    return adapted, f"{path.resolve().name}#{mark}"


def _end_tokens(loaded: Any, tokenizer: Any) -> list[int]:
    """The tokens that end an answer: those of the generation settings, and the tokenizer's."""
    ends = loaded.generation_config.eos_token_id
    listed = ends if isinstance(ends, list) else [ends]
    return [one for one in {*listed, tokenizer.eos_token_id} if one is not None]


def _context_tokens(model: Any) -> int:
    """How many tokens the model reads in one conversation, prompt and answer together."""
    config = model.config.get_text_config()
    width = getattr(config, "max_position_embeddings", None) or 2048
    # "longrope" changes its factors beyond the original length, for all rows of a batch.
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") == "longrope":
        width = min(width, rope.get("original_max_position_embeddings") or width)
    # Within its window a sliding layer sees all, as our mask lets it.
    if getattr(config, "use_sliding_window", True):
        width = min(width, getattr(config, "sliding_window", None) or width)
    return int(width)


def _bundled_smollm2(models_dir: Path) -> Path:
    return converted(
        models_dir, "SmolLM2-135M-Instruct", lambda folder: convert_gguf(bundled_gguf(), folder)
    )


BUNDLED_CHAT_MODELS = {"SmolLM2-135M-Instruct": _bundled_smollm2}
