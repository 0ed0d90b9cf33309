"""GitHub: files, issues, pull requests and discussions of a repository or of an owner's."""

from knowledge.sources.kind import Kind, Options
from knowledge.sources.readers import READER_OPTIONS
from knowledge.sources.source import Source

__all__ = ["GITHUB"]


def _open(location: str, options: Options) -> Source:
    from knowledge.sources.github.repositories import open_repositories  # needs the extra

    return open_repositories(location, options)


GITHUB = Kind(
    name="github",
    location="the address of a repository, or of an organisation or user with all repositories",
    open=_open,
    options={
        "token": "a token that may read the repositories, as env:NAME",
        "parts": "what is read, with commas between: files, issues, pulls, discussions (all)",
        "paths": "files by path, with commas between (docs/*,*.md); without it all",
        "branch": "the branch whose files are read; without it the default branch",
        "forks": "yes: an owner's forks too (no)",
        "full_hours": "how often everything is listed anew, in hours (24)",
        "base_url": "the API of a GitHub Enterprise Server (https://HOST/api/v3)",
        **READER_OPTIONS,
    },
    secrets=frozenset({"token"}),
    extra="github",
)
