"""Uploaded files: kept in memory, shown in the thread they were shared in."""

import secrets
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class StoredFile:
    """A file and its bytes; `size` is the announced one until the bytes are here."""

    id: str
    name: str
    title: str
    size: int
    user: str
    mimetype: str = "application/octet-stream"
    content: bytes = b""

    def shape(self, base_url: str) -> Json:
        """The file in Slack's shape; `page_url` is where a browser may read it."""
        url = f"{base_url}/files-pri/{self.id}/{self.name}"
        return {
            "id": self.id,
            "name": self.name,
            "title": self.title,
            "size": self.size,
            "user": self.user,
            "mimetype": self.mimetype,
            "filetype": self.name.rpartition(".")[2] or "binary",
            "mode": "hosted",
            "is_external": False,
            "url_private": url,
            "url_private_download": url,
            "page_url": f"{base_url}/playground/files/{self.id}",
        }


def new_file_id() -> str:
    """A fresh file id."""
    return f"F0{secrets.token_hex(5).upper()}"
