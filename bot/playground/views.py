"""Modals and Home tabs: trigger ids, the stack of views, and their submission."""

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.playground.blocks import check_view
from bot.playground.errors import SlackError

if TYPE_CHECKING:
    from bot.playground.workspace import Workspace

Json = dict[str, Any]


@dataclass(slots=True)
class View:
    """One view in one person's client; `root_id` is the bottom of its stack."""

    id: str
    user: str
    content: Json
    root_id: str
    previous_id: str | None = None
    values: Json = field(default_factory=dict)
    hash: str = field(default_factory=lambda: secrets.token_hex(6))


@dataclass(slots=True)
class Trigger:
    """The right to open one view for one person, shortly after they did something."""

    user: str
    issued_at: float
    used: bool = False


class Views:
    """The views of the workspace: open modals, and the Home tab of each person."""

    def __init__(self, workspace: "Workspace") -> None:
        self._workspace = workspace
        self._triggers: dict[str, Trigger] = {}
        self.open_views: dict[str, View] = {}
        self.homes: dict[str, View] = {}

    # triggers

    def issue_trigger(self, user: str) -> str:
        """A trigger_id for what `user` just did."""
        number = secrets.randbelow(10**12)
        trigger_id = f"{number}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self._triggers[trigger_id] = Trigger(user, self._workspace.now())
        return trigger_id

    def use_trigger(self, trigger_id: str) -> str:
        """The person behind a trigger_id; each is good once and for three seconds."""
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("trigger_exchanged", errors=["trigger_id has already been exchanged"])
        limit = self._workspace.limits.trigger_lifetime_seconds
        if self._workspace.now() - trigger.issued_at > limit:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger.user

    # what the app does

    def open(self, trigger_id: str, content: Any) -> View:
        """Open a modal."""
        content = check_view(content, "modal", self._workspace.limits)
        return self._show(self._new(self.use_trigger(trigger_id), content), "view_open")

    def push(self, trigger_id: str, content: Any) -> View:
        """Put a modal on top of the one that is open."""
        content = check_view(content, "modal", self._workspace.limits)
        return self.push_for(self.use_trigger(trigger_id), content)

    def push_for(self, user: str, content: Json, below: View | None = None) -> View:
        """Put checked content on top of `below`, or of the person's topmost modal."""
        below = below or self.top(user)
        if below is None:
            raise SlackError("not_found")
        if self._depth(below) >= self._workspace.limits.view_stack:
            raise SlackError("push_limit_reached")
        return self._show(self._new(user, content, below), "view_open")

    def update(
        self,
        view_id: str | None,
        external_id: str | None,
        content: Any,
        expected_hash: str | None = None,
    ) -> View:
        """Replace the content of an open modal."""
        view = self._find(view_id, external_id)
        if expected_hash and expected_hash != view.hash:
            raise SlackError("hash_conflict")
        kind = "home" if view.user in self.homes and self.homes[view.user] is view else "modal"
        self._replace(view, check_view(content, kind, self._workspace.limits))
        return self._show(view, "home" if kind == "home" else "view_update")

    def publish(self, user: str, content: Any, expected_hash: str | None = None) -> View:
        """Set the Home tab of a person."""
        content = check_view(content, "home", self._workspace.limits)
        self._workspace.user(user)
        view = self.homes.get(user)
        if view and expected_hash and expected_hash != view.hash:
            raise SlackError("hash_conflict")
        if view is None:
            view = self.homes[user] = self._new(user, content)
        else:
            self._replace(view, content)
        return self._show(view, "home")

    # what the person does

    def view(self, user: str, view_id: str) -> View:
        """The open view of a person (a modal or the Home tab)."""
        home = self.homes.get(user)
        view = home if home is not None and home.id == view_id else self.open_views.get(view_id)
        if view is None or view.user != user:
            raise SlackError("not_found")
        return view

    def top(self, user: str) -> View | None:
        """The topmost modal of a person."""
        views = [view for view in self.open_views.values() if view.user == user]
        return views[-1] if views else None

    def close(self, view: View, *, whole_stack: bool = False) -> None:
        """Close a modal, or its whole stack; the one below comes back."""
        doomed = [
            other
            for other in self.open_views.values()
            if other is view or (whole_stack and other.root_id == view.root_id)
        ]
        for other in doomed:
            self.open_views.pop(other.id, None)
            self._push(other.user, {"type": "view_close", "view_id": other.id})

    def errors(self, view: View, errors: dict[str, str]) -> None:
        """Show messages below the inputs of a modal, by block_id."""
        self._push(view.user, {"type": "view_errors", "view_id": view.id, "errors": errors})

    def shape(self, view: View) -> Json:
        """A view in Slack's shape."""
        content, workspace = view.content, self._workspace
        return {
            "id": view.id,
            "team_id": workspace.team_id,
            "type": content["type"],
            "title": content.get("title"),
            "submit": content.get("submit"),
            "close": content.get("close"),
            "blocks": content["blocks"],
            "private_metadata": content.get("private_metadata") or "",
            "callback_id": content.get("callback_id") or "",
            "external_id": content.get("external_id") or "",
            "state": {"values": view.values},
            "hash": view.hash,
            "clear_on_close": bool(content.get("clear_on_close")),
            "notify_on_close": bool(content.get("notify_on_close")),
            "previous_view_id": view.previous_id,
            "root_view_id": view.root_id,
            "app_id": workspace.app_id,
            "bot_id": workspace.bot_id,
            "app_installed_team_id": workspace.team_id,
        }

    def _new(self, user: str, content: Json, below: View | None = None) -> View:
        external_id = content.get("external_id")
        if external_id and any(
            view.content.get("external_id") == external_id for view in self.open_views.values()
        ):
            raise SlackError("duplicate_external_id")
        view_id = f"V0{secrets.token_hex(5).upper()}"
        view = View(
            view_id,
            user,
            content,
            root_id=below.root_id if below else view_id,
            previous_id=below.id if below else None,
        )
        if content["type"] == "modal":
            self.open_views[view_id] = view
        return view

    def _depth(self, view: View) -> int:
        return sum(other.root_id == view.root_id for other in self.open_views.values())

    def _find(self, view_id: str | None, external_id: str | None) -> View:
        for view in [*self.open_views.values(), *self.homes.values()]:
            if view.id == view_id or (
                external_id and view.content.get("external_id") == external_id
            ):
                return view
        raise SlackError("not_found")

    def _replace(self, view: View, content: Json) -> None:
        kept = {block["block_id"] for block in content["blocks"]}
        view.content, view.hash = content, secrets.token_hex(6)
        view.values = {block: value for block, value in view.values.items() if block in kept}

    def _show(self, view: View, kind: str) -> View:
        self._push(view.user, {"type": kind, "view": self.shape(view)})
        return view

    def _push(self, user: str, update: Json) -> None:
        self._workspace.pages.push([user], update)
