"""SharePoint and OneDrive: the files of a site's libraries, and its pages, over Microsoft Graph."""

from knowledge.sources.kind import Kind, Options
from knowledge.sources.readers import READER_OPTIONS
from knowledge.sources.source import Source

__all__ = ["SHAREPOINT"]


def _open(location: str, options: Options) -> Source:
    from knowledge.sources.sharepoint.library import open_library  # needs the extra

    return open_library(location, options)


SHAREPOINT = Kind(
    name="sharepoint",
    location="the URL of a site: https://acme.sharepoint.com/sites/HR",
    open=_open,
    options={
        "tenant": "the directory (tenant) id of the app registration",
        "client_id": "the application (client) id",
        "client_secret": "the application's client secret, as env:NAME",
        "libraries": "names of the document libraries to read, with commas between (default: all)",
        "pages": "no: files only (default yes)",
        "full_hours": "hours between full listings, which find whose rights changed (default 24; "
        "0: each time)",
        "graph_url": "another address of Microsoft Graph, of a national cloud for example",
        "login_url": "another address to sign in at, of a national cloud for example",
        **READER_OPTIONS,
    },
    secrets=frozenset({"client_secret"}),
    extra="sharepoint",
)
