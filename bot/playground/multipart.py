"""multipart/form-data, as far as uploads of the Slack clients need it (RFC 7578)."""

import re
from dataclasses import dataclass

_NAME = re.compile(rb'[\s;]name="?([^";\r\n]*)"?')
_FILENAME = re.compile(rb'filename="?([^";\r\n]*)"?')


@dataclass(frozen=True, slots=True)
class Field:
    """One part of a form."""

    content: bytes
    filename: str | None = None

    @property
    def text(self) -> str:
        """The content as text."""
        return self.content.decode("utf-8", "replace")


def parse_multipart(body: bytes, content_type: str) -> dict[str, Field]:
    """The parts of a form by name; parts without a name are left out."""
    _, _, boundary = content_type.partition("boundary=")
    marker = b"--" + boundary.split(";")[0].strip().strip('"').encode()
    fields: dict[str, Field] = {}
    for part in body.split(marker)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name, filename = _NAME.search(head), _FILENAME.search(head)
        if name:
            fields[name[1].decode()] = Field(
                content.removesuffix(b"\r\n"), filename[1].decode() if filename else None
            )
    return fields
