"""A strict OpenAI-compatible server on a real socket, with faults to order.

Embeddings: see `refused_embedding` for its limits. Chat:

It answers with `answer(messages)`, a few words a chunk, and counts a word as a token. The model's
name orders the behaviour: "good" answers; "slow" waits long between words; the others fail in the
way that their name says. "flaky" refuses with 503 once, then answers.
"""

import asyncio
import base64
import json
import socket
import struct
import threading
import zlib
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
    embedding: int = 0
    most_embedding: int = 0
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


# embeddings


MOST_INPUTS = 8
MOST_INPUT_TOKENS = 512
MOST_REQUEST_TOKENS = 2000
DIMENSIONS = 48
EMBEDDING_FIELDS = {"model", "input", "dimensions", "encoding_format", "task"}
EMBEDDERS = {
    "good",  # answers; the others do what their name says
    "shuffled",
    "floats-only",
    "flaky",
    "once-limited",
    "half-body",
    "too-few",
    "twice-the-same",
    "another-length",
    "not-a-number",
    "zero",
    "not-base64",
}


def tokens(text: str) -> int:
    """A word of the server's tokenizer has four letters."""
    return sum(-(-len(word) // 4) for word in text.split())


def hashed(text: str, dimensions: int) -> list[float]:
    """A direction that near texts share: counted words. Its length is not one."""
    vector = [0.0] * dimensions
    for word in text.lower().split():
        vector[zlib.crc32(word.strip(".,:?").encode()) % dimensions] += 1.0
    return vector if any(vector) else [1.0] * dimensions


def invalid_embedding(body: dict[str, Any]) -> Response | None:
    """The error that OpenAI (or TEI) would answer such a body with, if any."""
    given = body.get("input")
    if set(body) - EMBEDDING_FIELDS or not isinstance(given, list) or not given:
        return error(400, "invalid_request_error", f"Unknown or missing fields: {sorted(body)}")
    if not all(isinstance(text, str) and text for text in given):
        return error(400, "invalid_request_error", "'$.input' is invalid: an empty string")
    if len(given) > MOST_INPUTS:
        return error(413, "validation", f"batch size {len(given)} > maximum {MOST_INPUTS}")
    if max(map(tokens, given)) > MOST_INPUT_TOKENS:
        said = f"This model's maximum context length is {MOST_INPUT_TOKENS} tokens."
        return error(400, "context_length_exceeded", said)
    if sum(map(tokens, given)) > MOST_REQUEST_TOKENS:
        return error(400, "max_tokens_per_request", "Too many tokens per request")
    return None


def refused_embedding(
    request: Request, body: dict[str, Any], server: OpenAIServer
) -> Response | None:
    """The error that this request is answered with, if any."""
    model = body.get("model")
    if request.headers.get("authorization") != f"Bearer {KEY}":
        return error(401, "invalid_api_key", "Incorrect API key provided")
    if found := invalid_embedding(body):
        return found
    if model == "floats-only" and body.get("encoding_format") != "float":
        return error(400, "invalid_request_error", "encoding_format must be float")
    if model in FAILURES:
        return error(*FAILURES[model])
    if server.requests == 1 and model in {"flaky", "once-limited"}:
        refusal = error(*FAILURES["broken" if model == "flaky" else "rate-limited"])
        refusal.headers["Retry-After"] = "1"
        return refusal
    return None if model in EMBEDDERS else error(404, "model_not_found", f"{model} does not exist")


def broken(model: str, data: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The vectors as a server would give them that has the fault of the model's name."""
    first, last = data[0], data[-1]
    faults = {
        "shuffled": data[::-1],
        "too-few": data[:-1],
        "twice-the-same": [*data[:-1], {**last, "index": 0}],
        "another-length": [{**first, "embedding": first["embedding"][:-1]}, *data[1:]],
        "not-a-number": [{**first, "embedding": [float("nan")] * DIMENSIONS}, *data[1:]],
        "zero": [{**first, "embedding": [0.0] * DIMENSIONS}, *data[1:]],
    }
    return faults.get(model, data)


def embeddings(body: dict[str, Any], server: OpenAIServer) -> Response:
    dimensions = body.get("dimensions") or DIMENSIONS
    data: list[dict[str, Any]] = [
        {"object": "embedding", "index": index, "embedding": hashed(text, dimensions)}
        for index, text in enumerate(body["input"])
    ]
    data = broken(body["model"], data)
    if body.get("encoding_format") == "base64":
        for item in data:
            packed = struct.pack(f"<{len(item['embedding'])}f", *item["embedding"])
            item["embedding"] = base64.b64encode(packed).decode()
    if body["model"] == "not-base64":
        data[0]["embedding"] = "?!"
    whole = json.dumps({"object": "list", "data": data, "model": body["model"], "usage": {}})
    if body["model"] == "half-body" and server.requests == 1:
        # Half of what the header promises, then the connection is closed.
        headers = {"content-length": str(len(whole)), "content-type": "application/json"}
        return StreamingResponse(iter([whole[: len(whole) // 2]]), headers=headers)
    return Response(whole, media_type="application/json")


def application(server: OpenAIServer) -> Starlette:
    async def embed(request: Request) -> Response:
        body = await request.json()
        server.requests += 1
        server.bodies.append(body)
        server.embedding += 1
        server.most_embedding = max(server.most_embedding, server.embedding)
        try:
            await asyncio.sleep(0.01)
            return refused_embedding(request, body, server) or embeddings(body, server)
        finally:
            server.embedding -= 1

    async def complete(request: Request) -> Response:
        body = await request.json()
        server.requests += 1
        server.bodies.append(body)
        return refused(request, body, server) or StreamingResponse(
            events(body, server), media_type="text/event-stream"
        )

    return Starlette(
        routes=[
            Route("/v1/chat/completions", complete, methods=["POST"]),
            Route("/v1/embeddings", embed, methods=["POST"]),
        ]
    )


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
