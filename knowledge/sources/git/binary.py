"""Runs the git binary so that neither a repository nor an address can make it do anything else.

No hooks, no configuration of the machine or the user, no helpers, no protocol that starts a
program. What is secret goes through the environment, never onto a command line.
"""

import asyncio
import base64
import os
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from knowledge.errors import SourceError

_SECONDS = 1_800.0  # the first fetch of a very large repository
_KEPT = (
    *("PATH", "HOME", "SSH_AUTH_SOCK", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)
_CONFIGURATION = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.sshCommand=ssh -oBatchMode=yes -oConnectTimeout=20",
    "credential.helper=",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "protocol.allow=never",
)


@dataclass(frozen=True, slots=True)
class Git:
    """The git binary over one bare repository of ours."""

    folder: Path
    location: str
    user: str = "x-access-token"
    token: str | None = field(default=None, repr=False)
    ssh_key: str | None = None

    async def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """What a git command prints. Raises SourceError with what git says is wrong."""
        command = ["git", *self._options(), "--git-dir", str(self.folder), *arguments]
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._environment(),
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise SourceError(
                "git is not installed here: install it (Debian: apt-get install git)."
            ) from error
        try:
            async with asyncio.timeout(_SECONDS):
                output, complaint = await process.communicate(stdin)
        except TimeoutError as error:
            raise SourceError(
                f"{self.location} did not answer within {_SECONDS / 60:g} minutes."
            ) from error
        finally:
            await _end(process)
        if process.returncode:
            raise SourceError(self._explained(complaint.decode("utf-8", "replace")))
        return output

    def _options(self) -> Sequence[str]:
        allowed = ["file"] if is_path(self.location) else ["https", "http", "ssh", "git"]
        settings = [*_CONFIGURATION, *(f"protocol.{name}.allow=always" for name in allowed)]
        return [part for setting in settings for part in ("-c", setting)]

    def _environment(self) -> Mapping[str, str]:
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environment |= {
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "SSH_ASKPASS": "true",
            "LC_ALL": "C",
        }
        if self.ssh_key:
            environment["GIT_SSH_COMMAND"] = (
                f"ssh -oBatchMode=yes -oConnectTimeout=20 -oIdentitiesOnly=yes -i {self.ssh_key}"
            )
        if self.token:
            parts = urlsplit(self.location)
            origin = f"{parts.scheme}://{parts.netloc}/"  # a redirect elsewhere gets no token
            pair = base64.b64encode(f"{self.user}:{self.token}".encode()).decode()
            environment |= {
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": f"http.{origin}.extraHeader",
                "GIT_CONFIG_VALUE_0": f"Authorization: Basic {pair}",
            }
        return environment

    def _explained(self, complaint: str) -> str:
        lines = [line for line in complaint.splitlines() if line.strip()] or ["no reason given"]
        said = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1])
        said = said.partition(":")[2].strip() or said
        if self.token:
            said = said.replace(self.token, "***")
        return (
            f"Git cannot read {self.location}: {said[:300].rstrip('.')}. Check the address, the "
            "branch and the token or key; nothing was removed from the index."
        )


def is_path(location: str) -> bool:
    """Whether a location is a folder of this machine."""
    return location.startswith(("/", "file://"))


def checked_location(location: str) -> str:
    """A location that git may be given. Raises SourceError."""
    if is_path(location):
        return location
    if "::" in location or location.startswith("-"):
        raise SourceError(f"{location} is not the address of a Git repository that can be read.")
    if re.fullmatch(r"[\w.-]+@[\w.-]+:(?!//)[^\s]+", location):
        return location
    parts = urlsplit(location)
    if parts.scheme not in {"https", "http", "ssh", "git"} or not parts.hostname:
        raise SourceError(
            f"{location} is not the address of a Git repository: write https://…, ssh://…, "
            "git@host:path or the path of a folder."
        )
    if parts.password or (parts.username and parts.scheme != "ssh"):
        raise SourceError("Give the token as an option (token=env:NAME), not in the address.")
    if parts.hostname.startswith("-"):
        raise SourceError(f"{location} is not the address of a Git repository that can be read.")
    return location


async def _end(process: asyncio.subprocess.Process) -> None:
    """End git with all that it has started."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()
