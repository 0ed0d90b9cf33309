"""Slack channels' history as a source: its kind, and what keeps it in step with live messages."""

from bot.history.choice import Asked, Choice
from bot.history.kind import slack_kind
from bot.history.source import SlackSource

__all__ = ["Asked", "Choice", "SlackSource", "slack_kind"]
