"""What a folder does with odd files."""

import os
from pathlib import Path

import pytest

from knowledge.errors import SourceError
from knowledge.sources import Change, FolderSource, Skipped, Source, SourceDocument, load_source


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files in nested folders."""
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / "b" / "deep" / "two words.md").write_text("Two.")
    (tmp_path / "a.txt").write_text("One.")
    (tmp_path / "c.pdf").write_bytes(b"%PDF-1.4")
    return tmp_path


async def told(source: Source) -> list[Change]:
    """All changes from the beginning."""
    return [change async for change in source.changes(None)]


def listed(changes: list[Change]) -> list[str]:
    """The keys of the documents."""
    return [change.key for change in changes if isinstance(change, SourceDocument)]


async def test_a_folder_is_told_in_the_order_of_its_paths(folder: Path) -> None:
    documents = [c for c in await told(FolderSource(str(folder))) if isinstance(c, SourceDocument)]
    assert [d.key for d in documents] == ["a.txt", "b/deep/two words.md", "c.pdf"]
    assert [d.media_type for d in documents] == ["text/plain", "text/markdown", "application/pdf"]


async def test_a_folder_gives_paths_or_addresses(folder: Path) -> None:
    def urls(changes: list[Change]) -> list[str | None]:
        return [change.url for change in changes if isinstance(change, SourceDocument)]

    assert urls(await told(FolderSource(str(folder))))[1] == "b/deep/two words.md"
    served = load_source("folder", str(folder), {"base_url": "https://x.example/h/"})
    assert urls(await told(served))[1] == "https://x.example/h/b/deep/two%20words.md"


async def test_a_folder_skips_with_a_reason(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.md").write_text("Secret.")
    (folder / "link.md").symlink_to(outside / "secret.md")
    (folder / "links").symlink_to(outside)
    (folder / "loop").symlink_to(folder / "b")
    (folder / "dangling.md").symlink_to(folder / "nothing.md")
    (folder / ".git").mkdir()
    (folder / "node_modules").mkdir()
    (folder / "~$a.docx").write_text("lock")
    (folder / "photo.heic").write_bytes(b"")
    (folder / "Makefile").write_text("all:")
    (folder / "old.xls").write_bytes(b"")
    (folder / "large.txt").write_bytes(bytes(2000))
    (folder / os.fsdecode(b"caf\xe9.md")).write_text("Broken name.")
    os.mkfifo(folder / "pipe.txt")
    changes = await told(FolderSource(str(folder), largest_bytes=1000))
    assert listed(changes) == ["a.txt", "b/deep/two words.md", "c.pdf"]
    skipped = {change.key: change.reason for change in changes if isinstance(change, Skipped)}
    expected = {
        ".git": "hidden",
        "Makefile": "type",
        "caf\\udce9.md": "UTF-8",
        "dangling.md": "No such file",
        "large.txt": "larger",
        "link.md": "out of the folder",
        "links": "out of the folder",
        "loop": "own place",
        "node_modules": "not to be a document",
        "old.xls": ".xlsx",
        "photo.heic": "type",
        "pipe.txt": "not a file",
        "~$a.docx": "hidden",
    }
    assert skipped.keys() == expected.keys()
    assert all(reason in skipped[key] for key, reason in expected.items()), skipped


async def test_a_single_file_is_a_source_too(folder: Path) -> None:
    assert listed(await told(load_source("folder", str(folder / "a.txt")))) == ["a.txt"]


def test_an_unknown_place_or_option_is_refused(folder: Path) -> None:
    with pytest.raises(SourceError, match="no file or folder"):
        load_source("folder", str(folder / "nothing"))
    with pytest.raises(SourceError, match="base_url"):
        load_source("folder", str(folder), {"base": "x"})
