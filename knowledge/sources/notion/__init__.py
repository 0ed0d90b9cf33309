"""Notion: the pages, databases and rows that are shared with an integration."""

from knowledge.sources.kind import Kind, Options
from knowledge.sources.source import Source

__all__ = ["NOTION"]


def _open(location: str, options: Options) -> Source:
    from knowledge.sources.notion.workspace import open_workspace  # needs the extra

    return open_workspace(location, options)


NOTION = Kind(
    name="notion",
    location="the address of a workspace (https://www.notion.so/acme)",
    open=_open,
    options={
        "token": "the secret of an internal integration, as env:NAME",
        "base_url": "another address of Notion's API (a proxy of your own)",
        "requests_per_second": "how fast to ask; without it 3, the rate that Notion allows",
    },
    secrets=frozenset({"token"}),
    extra="notion",
)
