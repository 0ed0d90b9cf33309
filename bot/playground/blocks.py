"""Block Kit as Slack checks it: types, counts and lengths, with Slack's way of saying what's wrong.

`check_message` and `check_view` raise; both give blocks and elements without an id an id, as
Slack does, so that a click can always be traced to its element.
"""

import json
import secrets
from collections.abc import Iterator
from typing import Any

from bot.playground.errors import SlackError, invalid
from bot.playground.limits import Limits

Json = dict[str, Any]

MESSAGE_BLOCKS = frozenset(
    {
        "actions",
        "context",
        "context_actions",
        "divider",
        "file",
        "header",
        "image",
        "input",
        "markdown",
        "plan",
        "rich_text",
        "section",
        "table",
        "task_card",
        "video",
    }
)
VIEW_BLOCKS = (MESSAGE_BLOCKS - {"context_actions", "file", "markdown", "plan", "task_card"}) | {
    "input"
}
PRESSABLE = frozenset({"button", "workflow_button", "icon_button"})
SELECTS = frozenset(
    f"{prefix}{kind}"
    for prefix in ("", "multi_")
    for kind in (
        "static_select",
        "external_select",
        "users_select",
        "conversations_select",
        "channels_select",
    )
)
INPUTS = SELECTS | {
    "checkboxes",
    "datepicker",
    "datetimepicker",
    "email_text_input",
    "file_input",
    "number_input",
    "plain_text_input",
    "radio_buttons",
    "rich_text_input",
    "timepicker",
    "url_text_input",
}
ACTION_ELEMENTS = (
    PRESSABLE
    | SELECTS
    | {
        "checkboxes",
        "datepicker",
        "datetimepicker",
        "overflow",
        "radio_buttons",
        "timepicker",
    }
)
ACCESSORIES = ACTION_ELEMENTS | {"image"}


class BlockChecker:
    """Collects what is wrong with a list of blocks; `problems` is empty when all is well."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.problems: list[str] = []

    def check(self, blocks: Any, allowed: frozenset[str], most: int) -> None:
        """Check a list of blocks against the allowed types and their greatest number."""
        if not isinstance(blocks, list):
            self.problems.append("blocks must be an array [json-pointer:/blocks]")
            return
        if len(blocks) > most:
            self.problems.append(f"no more than {most} items allowed [json-pointer:/blocks]")
        seen: set[str] = set()
        for index, block in enumerate(blocks):
            where = f"/blocks/{index}"
            if not isinstance(block, dict) or block.get("type") not in allowed:
                kind = block.get("type") if isinstance(block, dict) else block
                self.problems.append(f"unsupported type: {kind} [json-pointer:{where}/type]")
                continue
            self._check_block_id(block, where, seen)
            checker = getattr(self, f"_check_{block['type']}", None)
            if checker is not None:
                checker(block, where)

    def _say(self, problem: str, where: str) -> None:
        self.problems.append(f"{problem} [json-pointer:{where}]")

    def _check_block_id(self, block: Json, where: str, seen: set[str]) -> None:
        block_id = block.setdefault("block_id", secrets.token_urlsafe(4))
        if not isinstance(block_id, str) or len(block_id) > self.limits.block_id:
            self._say(f"must be less than {self.limits.block_id + 1} characters", where)
        elif block_id in seen:
            self._say(f"block_id {block_id} already exists", f"{where}/block_id")
        seen.add(str(block_id))

    def _check_length(self, text: Any, most: int, where: str) -> None:
        if not isinstance(text, str) or not text:
            self._say("must be more than 0 characters", where)
        elif len(text) > most:
            self._say(f"must be less than {most + 1} characters", where)

    def _check_text(self, text: Any, most: int, where: str, *, plain: bool = False) -> None:
        kinds = {"plain_text"} if plain else {"plain_text", "mrkdwn"}
        if not isinstance(text, dict) or text.get("type") not in kinds:
            self._say(f"must provide a text object of {' or '.join(sorted(kinds))}", where)
            return
        self._check_length(text.get("text"), most, f"{where}/text")

    def _check_section(self, block: Json, where: str) -> None:
        fields = block.get("fields")
        if block.get("text") is None and not fields:
            self._say("must define either `text` or `fields`", where)
        if block.get("text") is not None:
            self._check_text(block["text"], self.limits.section_text, f"{where}/text")
        if fields is not None:
            self._check_count(fields, self.limits.section_fields, f"{where}/fields")
            for index, item in enumerate(fields if isinstance(fields, list) else []):
                most = self.limits.section_field_text
                self._check_text(item, most, f"{where}/fields/{index}")
        if block.get("accessory") is not None:
            self._check_element(block["accessory"], ACCESSORIES, f"{where}/accessory")

    def _check_header(self, block: Json, where: str) -> None:
        self._check_text(block.get("text"), self.limits.header_text, f"{where}/text", plain=True)

    def _check_markdown(self, block: Json, where: str) -> None:
        self._check_length(block.get("text"), self.limits.markdown_block, f"{where}/text")

    def _check_context(self, block: Json, where: str) -> None:
        elements = block.get("elements")
        self._check_count(elements, self.limits.context_elements, f"{where}/elements")
        for index, element in enumerate(elements if isinstance(elements, list) else []):
            spot = f"{where}/elements/{index}"
            if isinstance(element, dict) and element.get("type") == "image":
                self._check_image(element, spot)
            else:
                self._check_text(element, self.limits.section_text, spot)

    def _check_image(self, block: Json, where: str) -> None:
        if not (block.get("image_url") or block.get("slack_file")):
            self._say("must define either `image_url` or `slack_file`", where)
        if not block.get("alt_text"):
            self._say("missing required field: alt_text", where)

    def _check_actions(self, block: Json, where: str) -> None:
        self._check_elements(block, ACTION_ELEMENTS, self.limits.actions_elements, where)

    def _check_context_actions(self, block: Json, where: str) -> None:
        allowed = frozenset({"feedback_buttons", "icon_button"})
        self._check_elements(block, allowed, self.limits.context_actions_elements, where)

    def _check_input(self, block: Json, where: str) -> None:
        self._check_text(block.get("label"), self.limits.section_field_text, f"{where}/label")
        self._check_element(block.get("element"), INPUTS, f"{where}/element")

    def _check_elements(self, block: Json, allowed: frozenset[str], most: int, where: str) -> None:
        elements = block.get("elements")
        self._check_count(elements, most, f"{where}/elements")
        seen: set[str] = set()
        for index, element in enumerate(elements if isinstance(elements, list) else []):
            self._check_element(element, allowed, f"{where}/elements/{index}")
            action_id = element.get("action_id") if isinstance(element, dict) else None
            if action_id in seen:
                self._say(f"action_id {action_id} already exists", f"{where}/elements/{index}")
            seen.add(str(action_id))

    def _check_count(self, items: Any, most: int, where: str) -> None:
        if not isinstance(items, list) or not items:
            self._say("must be an array with at least one item", where)
        elif len(items) > most:
            self._say(f"no more than {most} items allowed", where)

    def _check_element(self, element: Any, allowed: frozenset[str], where: str) -> None:
        if not isinstance(element, dict) or element.get("type") not in allowed:
            kind = element.get("type") if isinstance(element, dict) else element
            self._say(f"unsupported type: {kind}", f"{where}/type")
            return
        if element["type"] == "image":
            self._check_image(element, where)
            return
        action_id = element.setdefault("action_id", secrets.token_urlsafe(4))
        if len(str(action_id)) > self.limits.action_id:
            self._say(f"must be less than {self.limits.action_id + 1} characters", where)
        if element["type"] in PRESSABLE:
            self._check_button(element, where)
        elif element["type"] == "feedback_buttons":
            for side in ("positive_button", "negative_button"):
                self._check_button(element.get(side), f"{where}/{side}")
        elif "options" in element:
            self._check_count(element["options"], self.limits.options, f"{where}/options")
            self._check_options(element["options"], f"{where}/options")

    def _check_button(self, button: Any, where: str) -> None:
        if not isinstance(button, dict):
            self._say("missing required field", where)
            return
        self._check_text(button.get("text"), self.limits.button_text, f"{where}/text", plain=True)
        if len(str(button.get("value") or "")) > self.limits.button_value:
            self._say(f"must be less than {self.limits.button_value + 1} characters", where)
        if len(str(button.get("url") or "")) > self.limits.button_url:
            self._say(f"must be less than {self.limits.button_url + 1} characters", where)
        if button.get("style") not in {None, "primary", "danger"}:
            self._say("must be one of `primary`, `danger`", f"{where}/style")

    def _check_options(self, options: Any, where: str) -> None:
        for index, option in enumerate(options if isinstance(options, list) else []):
            if not isinstance(option, dict) or "value" not in option:
                self._say("missing required field: value", f"{where}/{index}")
                continue
            self._check_text(option.get("text"), self.limits.button_text, f"{where}/{index}/text")


def check_message(blocks: Any, limits: Limits) -> list[Json]:
    """A checked copy of a message's blocks; raises `invalid_blocks` or `msg_blocks_too_long`."""
    blocks = json.loads(json.dumps(blocks))  # a copy in which no block is shared
    checker = BlockChecker(limits)
    checker.check(blocks, MESSAGE_BLOCKS, limits.message_blocks)
    if checker.problems:
        raise invalid(*checker.problems, code="invalid_blocks")
    markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    if markdown > limits.markdown_message:
        raise SlackError("msg_too_long")
    return list(blocks)


def check_view(view: Any, kind: str, limits: Limits) -> Json:
    """A checked copy of a view of type `kind` (modal or home); raises `invalid_arguments`."""
    if not isinstance(view, dict) or view.get("type") != kind:
        raise invalid(f"must be a view of type {kind} [json-pointer:/view/type]")
    content: Json = json.loads(json.dumps(view))
    checker = BlockChecker(limits)
    checker.check(content.get("blocks"), VIEW_BLOCKS, limits.view_blocks)
    problems = checker.problems
    if kind == "modal":
        problems.extend(_modal_problems(content, limits))
    for name, most in (
        ("private_metadata", limits.private_metadata),
        ("callback_id", limits.callback_id),
    ):
        if len(str(content.get(name) or "")) > most:
            problems.append(f"must be less than {most + 1} characters [json-pointer:/view/{name}]")
    if problems:
        raise invalid(*problems)
    if len(json.dumps(content).encode()) > limits.view_bytes:
        raise SlackError("view_too_large")
    return content


def _modal_problems(view: Json, limits: Limits) -> Iterator[str]:
    for name in ("title", "submit", "close"):
        if view.get(name) is None and name != "title":
            continue
        text = view[name] if isinstance(view.get(name), dict) else {}
        value = text.get("text")
        if not value or text.get("type") != "plain_text":
            yield f"must provide a plain_text object [json-pointer:/view/{name}]"
        elif len(value) > limits.view_title:
            most = limits.view_title + 1
            yield f"must be less than {most} characters [json-pointer:/view/{name}/text]"
    blocks = view.get("blocks")
    has_input = isinstance(blocks, list) and any(
        isinstance(block, dict) and block.get("type") == "input" for block in blocks
    )
    if has_input and not view.get("submit"):
        yield "`submit` is required when an `input` block is within the `blocks` array"


def elements_of(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Every (block, element) that a person may press or fill in."""
    for block in blocks:
        for element in block.get("elements") or []:
            if isinstance(element, dict) and "action_id" in element:
                yield block, element
        for name in ("accessory", "element"):
            element = block.get(name)
            if isinstance(element, dict) and "action_id" in element:
                yield block, element
