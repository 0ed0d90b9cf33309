"""A kind of source: its name, what its location is, and the options that it takes."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from knowledge.errors import SourceError
from knowledge.sources.source import Source

Options = Mapping[str, Any]
ENVIRONMENT = "env:"
"""A secret option holds "env:NAME", never the secret: the database keeps the name only."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of source. `open` gets the location and options with the secrets in their place."""

    name: str
    location: str
    """What the location is, in words: "a folder", "the URL of a Git repository"."""
    open: Callable[[str, Options], Source]
    """Raises SourceError with what to do: no such place, a wrong option."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Each option's name with what it does."""
    secrets: frozenset[str] = frozenset()
    """The options that are secrets."""
    extra: str | None = None
    """The pip extra that brings the kind's library, where it needs one of its own."""

    def load(self, location: str, options: Options) -> Source:
        """Make a source. Raises SourceError: an option is unknown or cannot be used."""
        self.check(options)
        opened = {
            name: _secret(name, str(value)) if name in self.secrets else value
            for name, value in options.items()
        }
        try:
            return self.open(location, opened)
        except ImportError as error:
            if self.extra is None:
                raise
            raise SourceError(
                f"The kind {self.name} needs a library that is not installed "
                f"({error.name}). Install it with: pip install 'lorewise[{self.extra}]'"
            ) from error

    def check(self, options: Options) -> None:
        """Refuse what this kind does not know, and secrets in clear. Raises SourceError."""
        unknown = sorted(options.keys() - self.options.keys())
        if unknown:
            known = ", ".join(sorted(self.options)) or "none"
            raise SourceError(
                f"The kind {self.name} has no option {', '.join(unknown)}. It has: {known}."
            )
        for name in self.secrets & options.keys():
            if not str(options[name]).startswith(ENVIRONMENT):
                raise SourceError(
                    f"{name} is a secret: put it into an environment variable and write "
                    f"{name}=env:NAME_OF_THE_VARIABLE."
                )


def _secret(name: str, reference: str) -> str:
    variable = reference.removeprefix(ENVIRONMENT)
    value = os.environ.get(variable)
    if not value:
        raise SourceError(f"The environment variable {variable}, for {name}, is not set.")
    return value
