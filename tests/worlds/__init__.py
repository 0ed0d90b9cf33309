"""A small world for each kind of source: a real place whose documents a test may change.

A new kind adds a file with its world and one line here; `test_source_contract.py` does the rest.
"""

from collections.abc import Mapping

from tests.worlds.confluence import ConfluenceDataCenterWorld, ConfluenceWorld
from tests.worlds.folder import FolderWorld
from tests.worlds.fsspec import ListingWorld, MemoryWorld, SftpWorld
from tests.worlds.git import GitWorld
from tests.worlds.github import GitHubWorld
from tests.worlds.google_drive import GoogleDriveWorld
from tests.worlds.jira import JiraDataCenterWorld, JiraWorld
from tests.worlds.notion import NotionWorld
from tests.worlds.sharepoint import SharePointWorld
from tests.worlds.slack import SlackWorld
from tests.worlds.sql import SqlWorld
from tests.worlds.web import WebWorld
from tests.worlds.world import World

__all__ = ["WORLDS", "World"]

WORLDS: Mapping[str, type[World]] = {
    "confluence": ConfluenceWorld,
    "confluence-data-center": ConfluenceDataCenterWorld,
    "folder": FolderWorld,
    "fsspec": MemoryWorld,
    "fsspec-listing": ListingWorld,
    "fsspec-sftp": SftpWorld,
    "git": GitWorld,
    "github": GitHubWorld,
    "google_drive": GoogleDriveWorld,
    "jira": JiraWorld,
    "jira-data-center": JiraDataCenterWorld,
    "notion": NotionWorld,
    "slack": SlackWorld,
    "sharepoint": SharePointWorld,
    "sql": SqlWorld,
    "web": WebWorld,
}
