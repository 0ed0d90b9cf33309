"""What becomes of a document before it is cut."""

import pytest

from knowledge.parsing import parse
from knowledge.reader import titled
from knowledge.sources import SourceDocument


async def nothing() -> bytes:
    return b""


@pytest.mark.parametrize(
    ("raw", "hint", "title"),
    [
        (b"Only text.", "Release 1.2", "Release 1.2"),
        (b"# A title\n\nText.", "Release 1.2", "A title"),
        (b"Only text.", None, "1AbC"),
    ],
)
def test_a_source_s_title_stands_where_the_document_has_none(
    raw: bytes, hint: str | None, title: str
) -> None:
    origin = SourceDocument("1AbC", "text/markdown", nothing, title=hint)
    assert titled(parse(raw, origin.key, origin.media_type), origin).title == title
