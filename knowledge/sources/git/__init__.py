"""Git repositories."""

from knowledge.sources.git.kind import GIT

__all__ = ["GIT"]
