"""The options of a place that fsspec can read."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from knowledge.errors import SourceError
from knowledge.sources.files import pictures_wanted
from knowledge.sources.fsspec.families import PROTOCOLS, Family
from knowledge.sources.fsspec.source import FsspecSource
from knowledge.sources.kind import Kind, Options

_OURS = frozenset({"base_url", "include", "exclude", "pictures"})
_SECRETS = frozenset(
    {"key", "secret", "token", "account_key", "connection_string", "sas_token", "password"}
)


def _open(location: str, options: Options) -> FsspecSource:
    protocols = _protocols(location)
    place = protocols[-1]
    family = PROTOCOLS[place]
    _check_library(place, family)
    unknown = sorted(options.keys() - _OURS - family.options)
    if unknown:
        known = ", ".join(sorted(family.options)) or "none of its own"
        raise SourceError(f"{place}:// takes no option {', '.join(unknown)}; it takes {known}.")
    return FsspecSource(
        location,
        storage=_storage(protocols, options),
        secrets=tuple(sorted({str(options[n]) for n in _SECRETS & options.keys()})),
        base_url=options.get("base_url"),
        include=_listed(options.get("include")),
        exclude=_listed(options.get("exclude")),
        pictures=pictures_wanted(options),
    )


def _protocols(location: str) -> list[str]:
    """The protocols of a location and of the places that it stands on, outermost first."""
    parts = location.split("::")
    found = [_protocol(part) for part in parts]
    for protocol in found[:-1]:
        if not PROTOCOLS[protocol].archive:
            raise SourceError(f"Before :: stands zip or tar, not {protocol}.")
    if PROTOCOLS[found[-1]].archive:
        name = found[-1]
        raise SourceError(f"Say where the archive is: {name}::file:///srv/rules.{name}.")
    return found


def _protocol(part: str) -> str:
    protocol = part.partition("://")[0]
    if protocol not in PROTOCOLS or ("://" not in part and not PROTOCOLS[protocol].archive):
        raise SourceError(
            f"{_shown(part)} is not an address that can be read: it begins with one of "
            f"{', '.join(f'{name}://' for name in sorted(PROTOCOLS))}."
        )
    try:
        address = urlsplit(part)
        clear = address.password is not None or (
            protocol[:4] in {"http", "s3"} and address.username
        )
        asks = protocol.startswith("http") and (address.query or address.fragment)
    except ValueError as error:
        raise SourceError("The address cannot be read: check its host and port.") from error
    if clear:
        raise SourceError("Give the name and password as options (password=env:NAME).")
    if asks:
        raise SourceError("The address of a listing has no ? or #.")
    return protocol


def _shown(part: str) -> str:
    return part.rpartition("@")[2][:100]


def _check_library(protocol: str, family: Family) -> None:
    if family.library and find_spec(family.library) is None:
        raise SourceError(
            f"{protocol}:// needs a library that is not installed ({family.library}). "
            f"Install it with: pip install 'lorewise[{family.extra}]'"
        )


def _storage(protocols: list[str], options: Options) -> Mapping[str, Mapping[str, Any]]:
    own = {name: value for name, value in options.items() if name not in _OURS}
    storage = {name: PROTOCOLS[name].storage({}) for name in protocols[:-1]}
    return {**storage, protocols[-1]: PROTOCOLS[protocols[-1]].storage(own)}


def _listed(value: Any) -> tuple[str, ...]:
    return tuple(part.strip() for part in str(value or "").split(",") if part.strip())


FSSPEC = Kind(
    name="fsspec",
    location="a URL: s3://, gs://, abfs://, sftp://, ftp://, https:// (a listing), zip::…",
    open=_open,
    options={
        "base_url": "URL under which the files can be opened",
        "include": "patterns of paths to take, such as rules/*, separated by commas",
        "exclude": "patterns of paths to leave out, separated by commas",
        "pictures": "yes (the default: where Tesseract is installed, their text is read) or no",
        "key": "s3: the access key",
        "secret": "s3: the secret key",
        "token": "s3: the session token; gs: the text of a service account's JSON key",
        "endpoint_url": "s3, gs: the address of another server that speaks its protocol",
        "region": "s3: the region",
        "project": "gs: the project",
        "anon": "s3, gs, abfs: yes reads what is public, without credentials",
        "account_name": "abfs: the storage account",
        "account_key": "abfs: the account's key",
        "connection_string": "abfs: the connection string",
        "sas_token": "abfs: a shared access signature",
        "username": "sftp, ftp, https: the name to sign in with",
        "password": "sftp, ftp, https: the password",
        "port": "sftp, ftp: the port",
        "ssh_key": "sftp: the file of a private key; without it and password, the machine's own",
        "host_key": "sftp: the fingerprint of the server's key; without it known_hosts counts",
    },
    secrets=_SECRETS,
)
