"""Jira, Cloud and Data Center: issues with their comments."""

from knowledge.sources.atlassian import ATLASSIAN_OPTIONS
from knowledge.sources.kind import Kind, Options
from knowledge.sources.source import Source

__all__ = ["JIRA"]


def _open(location: str, options: Options) -> Source:
    from knowledge.sources.jira.tracker import open_tracker  # needs the extra

    return open_tracker(location, options)


JIRA = Kind(
    name="jira",
    location="the URL of a Jira: https://acme.atlassian.net",
    open=_open,
    options={
        "projects": "keys of the projects to read, with commas between (default: all)",
        "exclude_projects": "keys of projects to leave out",
        "jql": "a condition that issues must meet, for example statusCategory = Done",
        "attachments": "yes: attachments of a readable type too (default no)",
        **ATLASSIAN_OPTIONS,
    },
    secrets=frozenset({"token"}),
    extra="atlassian",
)
