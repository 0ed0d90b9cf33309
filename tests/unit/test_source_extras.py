"""Kinds whose library comes with an extra: nothing of it is loaded before such a source is."""

import subprocess
import sys

import pytest

from knowledge.errors import SourceError
from knowledge.sources import KINDS, load_source

LIBRARIES = {
    "github": ("gidgethub", "repositories"),
    "google_drive": ("google.auth", "drive"),
    "notion": ("notion_client", "workspace"),
}


def test_knowing_the_kinds_loads_no_vendor_s_library() -> None:
    code = (
        "import sys, knowledge.sources; "
        f"print([name for name in {[*(name for name, _ in LIBRARIES.values()), 'httpx']} "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", LIBRARIES)
def test_a_library_that_is_not_installed_is_named_with_its_extra(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, module = LIBRARIES[kind]
    for name in [name for name in sys.modules if name.startswith(f"knowledge.sources.{kind}.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if f"{name}.".startswith(f"{library}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    assert f"knowledge.sources.{kind}.{module}" not in sys.modules
    with pytest.raises(SourceError, match=rf"pip install 'lorewise\[{KINDS[kind].extra}\]'"):
        load_source(kind, "https://example.com/acme")
