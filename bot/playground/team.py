"""The team: its people, its conversations, and what the app's manifest adds to both."""

from dataclasses import dataclass, field

#: The user that Slack itself speaks as.
SLACKBOT = "USLACKBOT"


@dataclass(slots=True)
class User:
    """A person or a bot of the workspace."""

    id: str
    name: str
    real_name: str
    color: str = "2eb67d"
    locale: str = "en-US"
    tz: str = "Etc/UTC"
    is_admin: bool = False
    is_bot: bool = False
    deleted: bool = False
    is_restricted: bool = False
    """A guest."""
    is_stranger: bool = False
    """Of another workspace, and met in a shared channel."""
    team_id: str | None = None
    """Another workspace than this one."""
    email: str | None = None
    """Its address, where it isn't the name at the workspace's domain."""
    is_email_confirmed: bool = True

    @property
    def initials(self) -> str:
        """Up to two letters for an avatar."""
        return "".join(word[0] for word in self.real_name.split()[:2]).upper()


@dataclass(slots=True)
class Channel:
    """A public or private channel, or a direct message (`is_im`)."""

    id: str
    name: str
    members: list[str] = field(default_factory=list)
    is_private: bool = False
    is_im: bool = False
    is_archived: bool = False
    topic: str = ""
    created: int = 0

    @property
    def kind(self) -> str:
        """Slack's `channel_type`: channel, group or im."""
        if self.is_im:
            return "im"
        return "group" if self.is_private else "channel"

    @property
    def scope_prefix(self) -> str:
        """The first half of the scopes for this kind of conversation."""
        return {"channel": "channels", "group": "groups", "im": "im"}[self.kind]


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command of the app's manifest."""

    command: str
    description: str
    usage_hint: str = ""


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A message shortcut of the app's manifest."""

    callback_id: str
    name: str
