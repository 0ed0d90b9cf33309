"""Every number of Slack that the playground keeps to, in one place.

The numbers are Slack's documented ones; where Slack only documents a tier ("20+ per minute"),
the playground keeps to the lower bound, so that a bot that fits here fits there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

TIER_1, TIER_2, TIER_3, TIER_4 = 1, 20, 50, 100

CALLS_PER_MINUTE: Mapping[str, int] = {
    "api.test": TIER_4,
    "auth.test": 300,
    "apps.connections.open": 30,
    "bots.info": TIER_3,
    "chat.postMessage": 600,  # the real bound is the one per channel, below
    "chat.update": TIER_3,
    "chat.delete": TIER_3,
    "chat.postEphemeral": TIER_4,
    "chat.getPermalink": 300,
    "chat.startStream": TIER_2,
    "chat.appendStream": TIER_4,
    "chat.stopStream": TIER_2,
    "conversations.info": TIER_3,
    "conversations.list": TIER_2,
    "conversations.members": TIER_4,
    "conversations.history": TIER_3,
    "conversations.replies": TIER_3,
    "conversations.open": TIER_3,
    "conversations.join": TIER_3,
    "users.info": TIER_4,
    "users.list": TIER_2,
    "users.conversations": TIER_3,
    "usergroups.list": TIER_2,
    "usergroups.users.list": TIER_2,
    "reactions.add": TIER_3,
    "reactions.remove": TIER_2,
    "reactions.get": TIER_3,
    "views.open": TIER_4,
    "views.push": TIER_4,
    "views.update": TIER_4,
    "views.publish": TIER_4,
    "assistant.threads.setStatus": 600,
    "assistant.threads.setTitle": TIER_4,
    "assistant.threads.setSuggestedPrompts": TIER_4,
    "agents.sessions.setStatus": TIER_3,
    "team.info": TIER_3,
    "files.getUploadURLExternal": TIER_4,
    "files.completeUploadExternal": TIER_4,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one workspace. Lengths are in characters, times in seconds."""

    rate_limiting: bool = True
    calls_per_minute: Mapping[str, int] = field(default_factory=lambda: CALLS_PER_MINUTE)
    window_seconds: float = 60.0
    posts_per_second_per_channel: float = 1.0
    posts_in_a_burst: int = 4

    post_text: int = 40_000
    update_text: int = 4_000  # tried against Slack: 4,000 pass, 11,800 answer msg_too_long
    message_blocks: int = 50
    view_blocks: int = 100
    section_text: int = 3_000
    section_fields: int = 10
    section_field_text: int = 2_000
    header_text: int = 150
    context_elements: int = 10
    actions_elements: int = 25
    context_actions_elements: int = 5
    button_text: int = 75
    button_value: int = 2_000
    button_url: int = 3_000
    action_id: int = 255
    block_id: int = 255
    options: int = 100
    markdown_block: int = 12_000
    markdown_message: int = 13_200
    view_title: int = 24
    view_bytes: int = 250_000
    private_metadata: int = 3_000
    callback_id: int = 255
    view_stack: int = 3
    prompts: int = 4
    loading_messages: int = 10
    session_title: int = 200
    reactions_per_message: int = 23

    stream_text: int = 12_000
    stream_lifetime_seconds: float = 300.0
    status_lifetime_seconds: float = 120.0
    trigger_lifetime_seconds: float = 3.0
    response_url_uses: int = 5
    response_url_lifetime_seconds: float = 1_800.0

    acknowledgement_seconds: float = 3.0
    retry_delays_seconds: tuple[float, ...] = (0.0, 60.0, 300.0)
    sockets: int = 10
    ticket_lifetime_seconds: float = 30.0
    page_size: int = 100
    page_size_most: int = 999
