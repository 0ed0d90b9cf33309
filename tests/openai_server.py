"""A strict OpenAI-compatible chat server on a real socket, with faults to order.

It answers with `answer(messages)`, a few words a chunk, and counts a word as a token. The model's
name orders the behaviour: "good" answers; "slow" waits long between words; the others fail in the
way that their name says. "flaky" refuses with 503 once, then answers.
"""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

KEY = "sk-test"
CONTEXT_WORDS = 2000
KNOWN_FIELDS = {"model", "messages", "max_tokens", "temperature", "stop", "stream"}
FAILURES = {
    "rate-limited": (429, "rate_limit_exceeded", "Rate limit reached"),
    "overloaded": (503, "overloaded", "The engine is currently overloaded"),
    "broken": (500, "server_error", "The server had an error"),
    "forbidden": (403, "forbidden", "Not allowed"),
}
ANSWER = (
    "Every employee has twenty-five days of leave. الإجازة خمسة وعشرون يومًا 有給休暇は二十五日 🎉 "
    "Ask your manager two weeks ahead. The form is on the intranet. "
) * 40


@dataclass
class OpenAIServer:
    """What the server has seen, and where it listens."""

    url: str = ""
    requests: int = 0
    streaming: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)


def error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"message": message, "type": code, "code": code}}, status)


def invalid(body: dict[str, Any]) -> Response | None:
    """The error that OpenAI would answer such a body with, if any."""
    words = sum(len(turn["content"].split()) for turn in body.get("messages", []))
    if set(body) - KNOWN_FIELDS or not body.get("stream") or not body.get("messages"):
        return error(400, "invalid_request_error", f"Unknown or missing fields: {sorted(body)}")
    if any(turn.get("role") not in {"system", "user", "assistant"} for turn in body["messages"]):
        return error(400, "invalid_request_error", "Unknown role")
    if len(body.get("stop") or []) > 4:
        return error(400, "invalid_request_error", "At most four stop strings")
    if words + body["max_tokens"] > CONTEXT_WORDS:
        said = f"This model's maximum context length is {CONTEXT_WORDS} tokens. You asked for more."
        return error(400, "context_length_exceeded", said)
    return None


def refused(request: Request, body: dict[str, Any], server: OpenAIServer) -> Response | None:
    """The error that this request is answered with, if any."""
    model = body.get("model")
    if request.headers.get("authorization") != f"Bearer {KEY}":
        return error(401, "invalid_api_key", "Incorrect API key provided")
    if found := invalid(body):
        return found
    if model in FAILURES:
        return error(*FAILURES[model])
    if model == "flaky" and server.requests == 1:
        return error(503, "overloaded", "Try again")
    if model not in {"good", "slow", "cut", "failing", "silent", "flaky", "adapter-7"}:
        return error(404, "model_not_found", f"The model {model} does not exist")
    return None


def chunk(delta: dict[str, str], finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "good"}
    return f"data: {json.dumps({**base, 'choices': [choice]}, ensure_ascii=False)}\n\n"


async def words(body: dict[str, Any]) -> AsyncIterator[str]:
    said = ANSWER.split(" ")[: body["max_tokens"]]
    text = " ".join(said)
    ends = [at for stop in body.get("stop") or [] if (at := text.find(stop)) >= 0]
    for word in text[: min(ends, default=len(text))].split(" "):
        yield word


async def events(body: dict[str, Any], server: OpenAIServer) -> AsyncIterator[str]:
    server.streaming += 1
    try:
        yield chunk({"role": "assistant", "content": ""})
        if body["model"] == "silent":
            await asyncio.sleep(60)
        space = ""
        count = 0
        async for word in words(body):
            yield chunk({"content": space + word})
            space, count = " ", count + 1
            await asyncio.sleep(0.2 if body["model"] == "slow" else 0.001)
            if count == 3 and body["model"] == "cut":
                raise ConnectionError("cut off, as ordered")
            if count == 3 and body["model"] == "failing":
                yield 'data: {"error": {"message": "CUDA error", "code": 500}}\n\n'
                return
        yield chunk({}, "length" if count == body["max_tokens"] else "stop")
        yield "data: [DONE]\n\n"
    finally:
        server.streaming -= 1


def application(server: OpenAIServer) -> Starlette:
    async def complete(request: Request) -> Response:
        body = await request.json()
        server.requests += 1
        server.bodies.append(body)
        return refused(request, body, server) or StreamingResponse(
            events(body, server), media_type="text/event-stream"
        )

    return Starlette(routes=[Route("/v1/chat/completions", complete, methods=["POST"])])


@contextmanager
def serve() -> Iterator[OpenAIServer]:
    """Run the server in a thread until the block ends."""
    server = OpenAIServer()
    listener = socket.create_server(("127.0.0.1", 0))
    server.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    config = uvicorn.Config(application(server), log_level="critical", lifespan="off")
    runner = uvicorn.Server(config)
    thread = threading.Thread(target=runner.run, args=([listener],))
    thread.start()
    try:
        yield server
    finally:
        runner.should_exit = runner.force_exit = True
        thread.join(10)
        listener.close()
