"""Google Drive: a folder or a shared drive, through a service account."""

from knowledge.sources.kind import Kind, Options
from knowledge.sources.readers import READER_OPTIONS
from knowledge.sources.source import Source

__all__ = ["GOOGLE_DRIVE"]


def _open(location: str, options: Options) -> Source:
    from knowledge.sources.google_drive.drive import open_drive  # needs the extra

    return open_drive(location, options)


GOOGLE_DRIVE = Kind(
    name="google_drive",
    location="the address or id of a folder or of a shared drive",
    open=_open,
    options={
        "credentials": "the service account's JSON key (its text), as env:NAME",
        "subject": "the user as whom the service account reads, by domain-wide delegation",
        "directory_subject": "an administrator as whom it asks for the members of groups; without "
        "it, groups that are not mapped grant nobody",
        "domain": "your Google Workspace domain: what is shared with all of it is for everyone in "
        "Slack",
        "links": "everyone: what anybody who has the link may open (of the domain, or at all) "
        "counts as shared with them; without it a link grants nobody",
        "full_hours": "how often everything is listed anew, in hours (24)",
        "base_url": "another address of Google's API (a proxy of your own)",
        **{name: text for name, text in READER_OPTIONS.items() if name != "domain_readers"},
    },
    secrets=frozenset({"credentials"}),
    extra="google",
)
