"""Where models come from, and how a bundled one is converted once."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from knowledge.embedding import load_embedder
from knowledge.errors import ModelConversionError, ModelNotFoundError
from knowledge.models import converted, package_file, resolve_model


def write_slowly(folder: Path) -> None:
    (folder / "one").write_text("1")
    time.sleep(0.3)
    with (folder.parent / "conversions").open("a") as log:
        log.write("x")


def hang(folder: Path) -> None:
    (folder / "one").write_text("half")
    (folder.parent / "begun").touch()
    time.sleep(60)


def convert_slowly(models_dir: Path) -> None:
    converted(models_dir, "model", write_slowly)


def convert_for_ever(models_dir: Path) -> None:
    converted(models_dir, "model", hang)


def test_two_processes_convert_a_model_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=convert_slowly, args=(tmp_path,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert (tmp_path / "conversions").read_text() == "x"
    assert (tmp_path / "model" / "one").read_text() == "1"


def test_a_killed_conversion_leaves_nothing_that_is_used(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=convert_for_ever, args=(tmp_path,)
    )
    process.start()
    while not (tmp_path / "begun").exists():
        time.sleep(0.02)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not (tmp_path / "model").exists()
    folder = converted(tmp_path, "model", write_slowly)
    assert (folder / "one").read_text() == "1"
    assert not list(tmp_path.glob(".model.part-*"))


def test_a_full_disk_is_a_clear_error_and_leaves_no_folder(tmp_path: Path) -> None:
    def fill(_folder: Path) -> None:
        with Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"weights")

    with pytest.raises(ModelConversionError, match=r"No space left.*LOREWISE_MODELS_DIR"):
        converted(tmp_path, "model", fill)
    assert [path.name for path in tmp_path.iterdir()] in ([".model.lock"], [])


def test_a_models_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelConversionError, match="LOREWISE_MODELS_DIR"):
        converted(tmp_path / "file" / "models", "model", write_slowly)


def test_a_path_comes_before_a_bundled_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bundled").mkdir()
    (tmp_path / "bundled" / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    found = resolve_model("bundled", tmp_path, {"bundled": lambda _: tmp_path / "wheel"})
    assert found.path == Path("bundled")
    assert found.name.startswith("bundled#")


def test_a_bundled_name_is_found_without_the_hub(tmp_path: Path) -> None:
    found = resolve_model("bundled", tmp_path, {"bundled": lambda models: models / "wheel"})
    assert (found.path, found.name) == (tmp_path / "wheel", "bundled")


def test_a_model_in_the_hugging_face_cache_is_named_by_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--acme--small"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots" / commit).mkdir(parents=True)
    (repository / "snapshots" / commit / "config.json").write_text("{}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    found = resolve_model("acme/small", tmp_path, {})
    assert found.name == "acme/small#01234567"
    assert (found.path / "config.json").exists()


@pytest.mark.parametrize("model", ["acme/nothing", "no-such-model", "./no/such/folder"])
def test_an_unknown_model_is_a_clear_error(model: str, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=rf"{model}.*[Cc]heck the"):
        load_embedder(model, tmp_path)


def test_a_folder_without_a_model_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="LOREWISE_EMBEDDING_MODEL"):
        load_embedder(str(tmp_path), tmp_path)


def test_a_missing_wheel_is_named() -> None:
    with pytest.raises(ModelNotFoundError, match="pip install --no-deps nothing==1"):
        package_file("no_such_package", "model.bin", "nothing==1")
