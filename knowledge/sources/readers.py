"""From a vendor's people and groups to our principals; what cannot be resolved grants nobody."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from knowledge.errors import SourceError
from knowledge.sources.kind import Options

EVERYONE = "everyone"
NOBODY: frozenset[str] = frozenset()

READER_OPTIONS = {
    "rights": "vendor (default): who may read a document there may read it here; source: all may "
    "who may read the source",
    "map": "groups as principals, GROUP:PRINCIPAL with commas between, for example "
    "staff:everyone,hr:group:T1:S1",
    "people": "a CSV file with the columns account and email, for people whose e-mail is hidden",
    "domain_readers": "everyone: what the whole organisation may read is for everyone in Slack",
    "public_readers": "everyone: what anyone without an account may read is for everyone in Slack",
}
"""The options that every kind with rights of its own takes."""

NOBODY_RESOLVED = (
    "may be read by nobody whose e-mail is known: map its group with map=GROUP:PRINCIPAL, or name "
    "the people in the file of the option people"
)


@dataclass(frozen=True, slots=True)
class Granting:
    """What the administrator has said of groups, hidden people, and wide audiences."""

    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)
    domain: frozenset[str] = NOBODY
    public: frozenset[str] = NOBODY
    vendor: bool = True
    """False: the vendor's rights are not asked for; the source's own readers read everything."""

    def group(self, *names: str | None) -> frozenset[str] | None:
        """The principals of a group by any of its names; None: it is to be expanded."""
        found = [self.groups.get(name.casefold()) for name in names if name]
        return next((principals for principals in found if principals is not None), None)

    def person(self, *accounts: str | None) -> str | None:
        """The e-mail that the people file has for an account by any of its names."""
        found = (self.people.get(account.casefold()) for account in accounts if account)
        return next((address for address in found if address), None)


def mapping_of(options: Options) -> Granting:
    """Read the options that all such kinds share. Raises SourceError."""
    return Granting(
        groups=_groups(str(options.get("map", ""))),
        people=_people(str(options["people"])) if options.get("people") else {},
        domain=_wide(options, "domain_readers"),
        public=_wide(options, "public_readers"),
        vendor=_choice(options, "rights", ("vendor", "source")) == "vendor",
    )


def email(address: object) -> frozenset[str]:
    """The principal of an e-mail address; nobody where it is hidden or none."""
    text = str(address or "").strip().lower()
    local, at, domain = text.partition("@")
    if not at or not local or not domain or "@" in domain or any(c.isspace() for c in text):
        return NOBODY
    return frozenset({f"email:{text}"})


def both(first: frozenset[str], second: frozenset[str]) -> frozenset[str]:
    """Who may pass two doors, as far as the principals tell.

    A mapped group's members are not known here, so a group passes with itself and `everyone` only.
    """
    if EVERYONE in first:
        return second
    return first if EVERYONE in second else first & second


def all_of(doors: Iterable[frozenset[str]]) -> frozenset[str]:
    """Who may pass all doors."""
    readers = frozenset({EVERYONE})
    for door in doors:
        readers = both(readers, door)
    return readers


def listed(options: Options, name: str) -> tuple[str, ...]:
    """An option that is a list with commas between."""
    return tuple(part.strip() for part in str(options.get(name, "")).split(",") if part.strip())


def hours(options: Options, name: str, default: float) -> float:
    """An option that is a number of hours. Raises SourceError."""
    try:
        value = float(options.get(name, default))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 24 * 366:
        raise SourceError(f"{name} is a number of hours, 0 or more; it is {options[name]!r}.")
    return value


def yes(options: Options, name: str, *, default: bool) -> bool:
    """An option that is yes or no. Raises SourceError."""
    return _choice(options, name, ("yes", "no") if default else ("no", "yes")) == "yes"


def _choice(options: Options, name: str, choices: tuple[str, ...]) -> str:
    value = str(options.get(name, choices[0])).lower()
    if value not in choices:
        raise SourceError(f"{name} is one of {', '.join(choices)}; it is {value!r}.")
    return value


def _wide(options: Options, name: str) -> frozenset[str]:
    return (
        frozenset({EVERYONE})
        if _choice(options, name, ("nobody", EVERYONE)) == EVERYONE
        else NOBODY
    )


def _groups(text: str) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        group, colon, principal = (part.strip() for part in entry.partition(":"))
        if not colon or not group or not principal:
            raise SourceError(
                f"map holds {entry!r}: write GROUP:PRINCIPAL, for example staff:everyone."
            )
        name = group.casefold()
        found[name] = found.get(name, NOBODY) | {principal}
    return found


def _people(file: str) -> dict[str, str]:
    try:
        with Path(file).expanduser().open(newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"The people file {file} cannot be read: {error}.") from error
    if rows and not {"account", "email"} <= rows[0].keys():
        raise SourceError(f"The people file {file} needs a first line: account,email.")
    bad = [row for row in rows if not row["account"] or not email(row["email"])]
    if bad:
        raise SourceError(f"The people file {file} has a row without account or e-mail: {bad[0]}.")
    return {row["account"].strip().casefold(): row["email"].strip().lower() for row in rows}
