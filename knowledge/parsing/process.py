"""Parsing in a process of its own, which may be killed.

A broken file can take for ever, eat the memory or crash a parser's C library; here that costs one
document. The process ends when its input closes, so it cannot outlive a killed parent.

Both directions carry frames: a length of 8 bytes (big-endian), then as many bytes.
"""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Self

from knowledge.errors import EmptyDocumentError, ParsingError
from knowledge.parsing import Page, ParsedDocument, parse

TIMEOUT_SECONDS = 120.0  # the slowest honest files (PDFs of a thousand pages) take half of it


class ParserProcess:
    """Parses one document at a time; started at the first, and again after a crash."""

    def __init__(self, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._timeout_seconds = timeout_seconds
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def parse(self, raw: bytes, name: str, media_type: str) -> ParsedDocument:
        """See knowledge.parsing.parse. Raises ParsingError, for a crash or a time-out too."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._ask(raw, {"name": name, "media_type": media_type})
        except TimeoutError as error:
            await self.close()
            raise ParsingError(
                f"{name} was not read within {self._timeout_seconds:g} s: split or simplify it."
            ) from error
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            await self.close()
            raise ParsingError(f"{name} crashes its parser: export it again.") from error
        except BaseException:  # cancelled between two frames: the process is out of step
            await self.close()
            raise
        if "error" in answer:
            kind = EmptyDocumentError if answer["empty"] else ParsingError
            raise kind(answer["error"])
        pages = tuple(Page(**page) for page in answer["pages"])
        return ParsedDocument(answer["title"], pages, answer["url"])

    async def close(self) -> None:
        """Kill the process, if it runs."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.communicate()  # closes the pipes

    async def _ask(self, raw: bytes, request: dict[str, str]) -> dict[str, Any]:
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "knowledge.parsing.process",
                stdin=PIPE,
                stdout=PIPE,
                env=_environment(),
            )
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        for frame in (json.dumps(request).encode(), raw):
            stdin.write(len(frame).to_bytes(8, "big"))
            stdin.write(frame)
        await stdin.drain()
        size = int.from_bytes(await stdout.readexactly(8), "big")
        answer: dict[str, Any] = json.loads(await stdout.readexactly(size))
        return answer


def _environment() -> dict[str, str]:
    """The package may run from a checkout: the process must find it too."""
    paths = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def main() -> None:
    """Answer requests until the input ends."""
    os.nice(19)  # embedding is what a run waits for, and answers come first of all
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the frames
    while (request := _frame(requests)) is not None:
        raw = _frame(requests) or b""
        answer = json.dumps(_answer(raw, **json.loads(request))).encode()
        answers.write(len(answer).to_bytes(8, "big") + answer)
        answers.flush()


def _frame(stream: IO[bytes]) -> bytes | None:
    head = stream.read(8)
    return stream.read(int.from_bytes(head, "big")) if len(head) == 8 else None


def _answer(raw: bytes, name: str, media_type: str) -> dict[str, object]:
    try:
        return asdict(parse(raw, name, media_type))
    except ParsingError as error:
        return {"error": str(error), "empty": isinstance(error, EmptyDocumentError)}
    except Exception as error:  # noqa: BLE001 - one document's trouble must not end the others'
        message = f"{name} cannot be read ({type(error).__name__}: {error}): save it anew."
        return {"error": message, "empty": False}


if __name__ == "__main__":
    main()
