"""The protocols that are read, and what each makes of the options."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from knowledge.errors import SourceError
from knowledge.sources.kind import Options

Storage = dict[str, Any]
_SECONDS = 30.0  # for a server to answer at all


@dataclass(frozen=True, slots=True)
class Family:
    """Protocols of one library."""

    protocols: tuple[str, ...]
    storage: Callable[[Options], Storage]
    """fsspec's own options for these of ours."""
    options: frozenset[str] = frozenset()
    library: str | None = None
    extra: str | None = None
    """What brings the library, where fsspec alone is not enough."""
    archive: bool = False
    """It stands on another place: zip::s3://bucket/rules.zip."""


def yes(options: Options, name: str) -> bool:
    """An option that is yes or no. Raises SourceError."""
    value = str(options.get(name, "no"))
    if value not in {"yes", "no"}:
        raise SourceError(f"{name} is yes or no, not {value!r}.")
    return value == "yes"


def _plain(_options: Options) -> Storage:
    return {}


def _given(options: Options, *names: str) -> Storage:
    return {name: str(options[name]) for name in names if options.get(name)}


def _s3(options: Options) -> Storage:
    storage = _given(options, "key", "secret", "token", "endpoint_url")
    if options.get("region"):
        storage["client_kwargs"] = {"region_name": str(options["region"])}
    return {**storage, "anon": yes(options, "anon"), "use_listings_cache": False}


def _gcs(options: Options) -> Storage:
    storage = _given(options, "project", "endpoint_url")
    if options.get("token"):
        storage["token"] = _google_token(str(options["token"]))
    if yes(options, "anon"):
        storage["token"] = "anon"  # noqa: S105 - gcsfs' word for none
    return {**storage, "access": "read_only", "use_listings_cache": False}


def _google_token(text: str) -> Mapping[str, Any]:
    try:
        token = json.loads(text)
    except ValueError:
        token = None
    if not isinstance(token, dict):
        raise SourceError("token must be the text of a service account's JSON key.")
    return token


def _azure(options: Options) -> Storage:
    names = ("account_name", "account_key", "connection_string", "sas_token")
    storage = _given(options, *names)
    if "anon" in options:
        storage["anon"] = yes(options, "anon")
    return {**storage, "use_listings_cache": False}


def _port(options: Options) -> Storage:
    if not options.get("port"):
        return {}
    try:
        return {"port": int(options["port"])}
    except ValueError as error:
        raise SourceError(f"port is a number, not {options['port']!r}.") from error


def _sftp(options: Options) -> Storage:
    from knowledge.sources.fsspec.host_keys import KnownHosts

    storage = {**_given(options, "username", "password"), **_port(options)}
    if options.get("ssh_key"):
        storage["key_filename"] = str(options["ssh_key"])
    own = not options.get("password") and not options.get("ssh_key")
    return {
        **storage,
        **dict.fromkeys(("timeout", "banner_timeout", "auth_timeout"), _SECONDS),
        **dict.fromkeys(("allow_agent", "look_for_keys"), own),
        "host_key_policy": KnownHosts(options.get("host_key")),
    }


def _ftp(options: Options) -> Storage:
    storage = {**_given(options, "username", "password"), **_port(options)}
    return {**storage, "timeout": _SECONDS, "use_listings_cache": False}


def _http(options: Options) -> Storage:
    import aiohttp

    client: Storage = {
        "raise_for_status": _no_redirect,
        "timeout": aiohttp.ClientTimeout(total=300, sock_connect=_SECONDS, sock_read=60),
    }
    if options.get("username"):
        pair = f"{options['username']}:{options.get('password', '')}".encode()
        client["headers"] = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {"client_kwargs": client, "allow_redirects": False, "use_listings_cache": False}


async def _no_redirect(response: Any) -> None:
    """A redirect may lead anywhere, and a sign-in page is no listing."""
    if 300 <= response.status < 400:
        raise PermissionError("it redirects to another address, which is not followed")


FAMILIES = (
    Family(
        ("s3", "s3a"),
        _s3,
        frozenset({"key", "secret", "token", "endpoint_url", "region", "anon"}),
        library="s3fs",
        extra="s3",
    ),
    Family(
        ("gs", "gcs"),
        _gcs,
        frozenset({"token", "project", "anon", "endpoint_url"}),
        library="gcsfs",
        extra="gcs",
    ),
    Family(
        ("abfs", "abfss", "az"),
        _azure,
        frozenset({"account_name", "account_key", "connection_string", "sas_token", "anon"}),
        library="adlfs",
        extra="azure",
    ),
    Family(
        ("sftp",),
        _sftp,
        frozenset({"username", "password", "port", "ssh_key", "host_key"}),
        library="paramiko",
        extra="sftp",
    ),
    Family(("ftp",), _ftp, frozenset({"username", "password", "port"})),
    Family(("http", "https"), _http, frozenset({"username", "password"})),
    Family(("file",), _plain),
    Family(("memory",), _plain),
    Family(("zip", "tar"), _plain, archive=True),
)
PROTOCOLS = {protocol: family for family in FAMILIES for protocol in family.protocols}
