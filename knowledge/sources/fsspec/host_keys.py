"""Whether an SSH server is the one that is meant: fsspec would take any."""

import base64
import hashlib
from pathlib import Path
from typing import Any

from paramiko import HostKeys, MissingHostKeyPolicy, SSHException

_FILES = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")


class KnownHosts(MissingHostKeyPolicy):  # type: ignore[misc]
    """Takes the server with a fingerprint, or those that this machine's ssh knows."""

    def __init__(self, fingerprint: str | None) -> None:
        self._fingerprint = fingerprint

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        """See paramiko. Raises SSHException: the server is not known."""
        del client
        shown = fingerprint_of(key.asbytes())
        known = shown == self._fingerprint if self._fingerprint else _known(hostname, key)
        if not known:
            raise SSHException(
                f"the server's key {shown} is not known; if it is the right one, add it with "
                f"ssh-keyscan to ~/.ssh/known_hosts, or give host_key={shown}"
            )


def fingerprint_of(key: bytes) -> str:
    """A key's fingerprint as ssh-keygen -l prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def _known(hostname: str, key: Any) -> bool:
    hosts = HostKeys()
    for name in _FILES:
        path = Path(name).expanduser()
        if path.is_file():
            hosts.load(str(path))
    return bool(hosts.check(hostname, key))
