"""Reads a .sql file of named statements, so that hard queries are written as SQL.

A statement begins with `-- its_name --` on a line of its own; the next line is a comment that
says in one English sentence what it does. Everything up to the next name belongs to it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

_NAME = re.compile(r"^-- (?P<name>[a-z][a-z0-9_]*) --$", re.MULTILINE)


def read_statements(path: Path) -> Mapping[str, str]:
    """The statements of a file by their names, without comments.

    Raises:
        ValueError: a name stands twice, or a statement lacks its sentence or its SQL.
    """
    parts = _NAME.split(path.read_text(encoding="utf-8"))
    statements: dict[str, str] = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        if name in statements:
            raise ValueError(f"{path.name}: two statements are named {name}")
        statements[name] = _statement(f"{path.name}: {name}", body)
    return MappingProxyType(statements)


def _statement(where: str, body: str) -> str:
    lines = body.strip().splitlines()
    if not lines or not lines[0].startswith("-- "):
        raise ValueError(f"{where} needs a line that says what it does")
    sql = "\n".join(line for line in lines if not line.lstrip().startswith("--")).strip()
    if not sql:
        raise ValueError(f"{where} has no SQL")
    return sql.removesuffix(";")
