"""`/api/<method>`: reading a call in any of the ways that clients send it, and answering it."""

import asyncio
import json
import logging
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from bot.playground import (
    methods_chat,
    methods_conversations,
    methods_interaction,
    methods_people,
)
from bot.playground.call import Call, Method
from bot.playground.errors import RateLimitedError, SlackError
from bot.playground.faults import Fault
from bot.playground.multipart import parse_multipart
from bot.playground.scopes import require
from bot.playground.workspace import Workspace

Json = dict[str, Any]
log = logging.getLogger(__name__)

METHODS: dict[str, Method] = {
    **methods_chat.METHODS,
    **methods_conversations.METHODS,
    **methods_people.METHODS,
    **methods_interaction.METHODS,
}


class HalfResponse(Response):
    """Promises a whole body, sends half of it and breaks the connection off."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the headers and half the body, and leave."""
        del scope, receive
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        half = self.body[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": bytes(half), "more_body": True})


class WebApi:
    """The Web API of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.calls: list[tuple[str, Json]] = []

    async def answer(self, request: Request) -> Response:
        """Carry out one call and answer it as Slack would, or as a fault asks."""
        name = request.path_params["method"]
        fault = self._workspace.faults.take(name)
        if fault is not None and not fault.takes_effect:
            return await self._spoil(fault, {"ok": True})
        try:
            body = await self._carry_out(name, request)
        except RateLimitedError as limited:
            return _too_many(limited.retry_after_seconds)
        if fault is not None:
            return await self._spoil(fault, body)
        return self._respond(body)

    async def _carry_out(self, name: str, request: Request) -> Json:
        try:
            arguments = await read_arguments(request)
            return {"ok": True, **self._call(name, request, arguments)}
        except SlackError as refusal:
            log.debug("refused %s: %s", name, refusal.code, extra={"action": "api_call_refused"})
            return refusal.body()

    def _call(self, name: str, request: Request, arguments: Json) -> Json:
        method = METHODS.get(name)
        if method is None or self._workspace.faults.missing(name):
            raise SlackError(
                self._workspace.faults.missing(name) or "unknown_method", req_method=name
            )
        header = request.headers.get("authorization", "")
        token = header.removeprefix("Bearer ").strip() or str(arguments.pop("token", ""))
        self._check_token(method, token)
        self._workspace.rates.count(name, self._workspace.limits)
        require(self._workspace.scopes, *method.any_scope)
        self.calls.append((name, arguments))
        return method.handler(Call(self._workspace, arguments, base_url(request)))

    def _check_token(self, method: Method, token: str) -> None:
        if method.token == "none":  # noqa: S105 - a kind of token
            return
        if not token:
            raise SlackError("not_authed")
        kinds = {self._workspace.bot_token: "bot", self._workspace.app_token: "app"}
        kind = kinds.get(token)
        if kind is None:
            raise SlackError("invalid_auth")
        if method.token not in {kind, "any"}:
            raise SlackError("not_allowed_token_type")

    def _respond(self, body: Json) -> Response:
        scopes = ",".join(sorted(self._workspace.scopes))
        return JSONResponse(body, headers={"x-oauth-scopes": scopes})

    async def _spoil(self, fault: Fault, body: Json) -> Response:
        if fault.kind == "rate_limited":
            return _too_many(fault.retry_after_seconds)
        if fault.kind == "server_error":
            return JSONResponse({"ok": False, "error": "internal_error"}, status_code=500)
        if fault.kind == "half_response":
            return HalfResponse(json.dumps(body).encode(), media_type="application/json")
        if fault.kind == "timeout":
            await asyncio.sleep(fault.hang_seconds)
            return self._respond(body)
        return self._respond({"ok": False, "error": fault.error})


def _too_many(retry_after_seconds: int) -> Response:
    return JSONResponse(
        {"ok": False, "error": "ratelimited"},
        status_code=429,
        headers={"Retry-After": str(retry_after_seconds)},
    )


def base_url(request: Request) -> str:
    """The address under which the caller reached the playground, without a slash at the end."""
    return f"{request.url.scheme}://{request.url.netloc}"


async def read_arguments(request: Request) -> Json:
    """The arguments of a call: from the query, and from a JSON, form or multipart body."""
    arguments: Json = dict(parse_qsl(request.url.query, keep_blank_values=True))
    body = await request.body()
    content_type = request.headers.get("content-type", "")
    if content_type.startswith("application/json"):
        arguments.update(_read_json(body))
    elif content_type.startswith("multipart/form-data"):
        fields = parse_multipart(body, content_type)
        arguments.update({name: field.text for name, field in fields.items()})
    elif body:
        text = body.decode("utf-8", "replace")
        arguments.update(parse_qsl(text, keep_blank_values=True))
    return arguments


def _read_json(body: bytes) -> Json:
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        raise SlackError("invalid_json") from None
    if not isinstance(value, dict):
        raise SlackError("json_not_object")
    return value
