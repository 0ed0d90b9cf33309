"""Files of one record a line, plain or gzipped, read with the line's number for messages."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from knowledge.errors import EvaluationDataError


def existing(path: Path) -> Path:
    """The file, or the one with .gz after its name.

    Raises:
        EvaluationDataError: there is neither.
    """
    for candidate in (path, path.with_name(f"{path.name}.gz")):
        if candidate.is_file():
            return candidate
    raise EvaluationDataError(f"There is no file {path} (nor {path.name}.gz). Check the path.")


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that hold something, with their numbers from 1.

    Raises:
        EvaluationDataError: the file cannot be read or is not UTF-8.
    """
    try:
        with _opened(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EvaluationDataError(f"{path} cannot be read as UTF-8 text: {reason}.") from error


def records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The JSON objects of a .jsonl file, with their lines' numbers.

    Raises:
        EvaluationDataError: names the file and the line that is not one.
    """
    for number, line in numbered_lines(path):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise EvaluationDataError(f"{path}, line {number}: is not JSON ({error}).") from error
        if not isinstance(record, dict):
            raise EvaluationDataError(f"{path}, line {number}: is not a JSON object.")
        yield number, record


def text_field(path: Path, number: int, record: dict[str, Any], name: str) -> str:
    """A field that must be there as text; a number is taken as its digits.

    Raises:
        EvaluationDataError: names the file, the line and the field.
    """
    value = record.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise EvaluationDataError(f'{path}, line {number}: needs a text in "{name}".')
    return value


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")
