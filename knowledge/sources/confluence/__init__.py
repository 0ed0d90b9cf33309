"""Confluence, Cloud and Data Center: pages, blog posts and readable attachments."""

from knowledge.sources.atlassian import ATLASSIAN_OPTIONS
from knowledge.sources.kind import Kind, Options
from knowledge.sources.source import Source

__all__ = ["CONFLUENCE"]


def _open(location: str, options: Options) -> Source:
    from knowledge.sources.confluence.wiki import open_wiki  # needs the extra

    return open_wiki(location, options)


CONFLUENCE = Kind(
    name="confluence",
    location="the URL of a Confluence, on Cloud with /wiki: https://acme.atlassian.net/wiki",
    open=_open,
    options={
        "spaces": "keys of the spaces to read, with commas between (default: all that are not "
        "personal)",
        "exclude_spaces": "keys of spaces to leave out",
        "personal": "yes: personal spaces too (default no)",
        "attachments": "no: pages and blog posts only (default yes)",
        "exclude_labels": "content with one of these labels is left out",
        **ATLASSIAN_OPTIONS,
    },
    secrets=frozenset({"token"}),
    extra="atlassian",
)
