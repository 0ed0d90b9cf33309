"""Parsing in a process of its own, which may be killed.

A broken file can take for ever, eat the memory or crash a parser's C library; here that costs one
document. The process ends when its input closes, so it cannot outlive a killed parent. It may take
a bounded amount of memory.

Both directions carry frames: a length of 8 bytes (big-endian), then as many bytes. An empty frame
means "still at it".
"""

import asyncio
import json
import os
import resource
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Self

from knowledge.errors import EmptyDocumentError, ParsingError
from knowledge.parsing import Ocr, Page, ParsedDocument, parse
from knowledge.parsing.ocr import installed

TIMEOUT_SECONDS = 120.0  # the slowest honest files (PDFs of a thousand pages) take half of it
MEMORY_BYTES = 3 * 2**30  # of addresses: a process that has loaded all parsers takes a tenth


class ParserProcess:
    """Parses one document at a time; started at the first, and again after a crash."""

    def __init__(
        self,
        timeout_seconds: float = TIMEOUT_SECONDS,
        *,
        ocr_languages: str = "eng",
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._arguments = (str(memory_bytes), ocr_languages)
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def parse(self, raw: bytes, name: str, media_type: str) -> ParsedDocument:
        """See knowledge.parsing.parse. Raises ParsingError, for a crash or a time-out too."""
        try:
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
        if answer.get("exhausted"):  # its memory is in pieces: begin with a fresh one
            await self.close()
        if "error" in answer:
            kind = EmptyDocumentError if answer["empty"] else ParsingError
            raise kind(answer["error"])
        pages = tuple(Page(**page) for page in answer["pages"])
        return ParsedDocument(answer["title"], pages, answer["url"], answer["note"])

    async def close(self) -> None:
        """Kill the process, if it runs, and what it has started."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()  # closes the pipes

    async def _ask(self, raw: bytes, request: dict[str, str]) -> dict[str, Any]:
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "knowledge.parsing.process",
                *self._arguments,
                stdin=PIPE,
                stdout=PIPE,
                env=_environment(),
                start_new_session=True,  # a group of its own, to be killed with its children
            )
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        async with asyncio.timeout(self._timeout_seconds) as patience:
            for frame in (json.dumps(request).encode(), raw):
                stdin.write(len(frame).to_bytes(8, "big"))
                stdin.write(frame)
            await stdin.drain()
            while not (size := int.from_bytes(await stdout.readexactly(8), "big")):
                patience.reschedule(asyncio.get_running_loop().time() + self._timeout_seconds)
            answer: dict[str, Any] = json.loads(await stdout.readexactly(size))
        return answer


def _environment() -> dict[str, str]:
    """The package may run from a checkout: the process must find it too."""
    paths = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def main(memory_bytes: str, ocr_languages: str) -> None:
    """Answer requests until the input ends."""
    os.nice(19)  # embedding is what a run waits for, and answers come first of all
    with suppress(OSError, ValueError):  # a system that cannot, or already allows less
        resource.setrlimit(resource.RLIMIT_AS, (int(memory_bytes), int(memory_bytes)))
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the frames

    def send(frame: bytes) -> None:
        answers.write(len(frame).to_bytes(8, "big") + frame)
        answers.flush()

    ocr = Ocr(ocr_languages, alive=lambda: send(b"")) if installed() else None
    while (request := _frame(requests)) is not None:
        raw = _frame(requests) or b""
        send(json.dumps(_answer(raw, ocr=ocr, **json.loads(request))).encode())


def _frame(stream: IO[bytes]) -> bytes | None:
    head = stream.read(8)
    return stream.read(int.from_bytes(head, "big")) if len(head) == 8 else None


def _answer(raw: bytes, name: str, media_type: str, ocr: Ocr | None) -> dict[str, object]:
    try:
        return asdict(parse(raw, name, media_type, ocr))
    except ParsingError as error:
        return {"error": str(error), "empty": isinstance(error, EmptyDocumentError)}
    except MemoryError:
        message = f"{name} takes more memory than a document may: split or simplify it."
        return {"error": message, "empty": False, "exhausted": True}
    except Exception as error:  # noqa: BLE001 - one document's trouble must not end the others'
        message = f"{name} cannot be read ({type(error).__name__}: {error}): save it anew."
        return {"error": message, "empty": False}


if __name__ == "__main__":
    main(*sys.argv[1:])
