"""The workspace that the playground starts with: a few people, a few channels, one bot."""

from typing import Any

from bot.playground.team import Channel, Command, Shortcut, User
from bot.playground.workspace import Workspace

NORA, SAM, LAYLA = "U0NORAHADD", "U0SAMOKAFO", "U0LAYLAMAN"
GENERAL, ASK_HR, ENGINEERING, LEADERSHIP = "C0GENERAL0", "C0ASKHR000", "C0ENGINEER", "G0LEADERSH"

COMMANDS = (
    Command("/ask", "Ask a question; only you see the answer", "[question]"),
    Command("/lorewise", "Help, status and settings", "[help | status | …]"),
    Command("/reindex", "Read the documents again (admins)", "[source]"),
    Command("/retrain", "Train the model on what was approved (admins)", "[--dry-run]"),
)
SHORTCUTS = (Shortcut("ask_lorewise", "Ask Lorewise"),)


def default_workspace(name: str = "Acme", **settings: Any) -> Workspace:
    """A workspace with three people and four channels; `settings` go to Workspace.

    Nora is an employee, Sam an admin, Layla an employee who writes Arabic. The bot is a member
    of the public channels; #leadership is private and Sam's alone.
    """
    settings.setdefault("commands", COMMANDS)
    settings.setdefault("shortcuts", SHORTCUTS)
    workspace = Workspace(name, **settings)
    workspace.add_user(User(NORA, "nora", "Nora Haddad", color="e01e5a"))
    workspace.add_user(User(SAM, "sam", "Sam Okafor", color="1264a3", is_admin=True))
    workspace.add_user(
        User(LAYLA, "layla", "Layla Mansour", color="2eb67d", locale="ar", tz="Asia/Dubai")
    )
    everyone = [workspace.bot.id, NORA, SAM, LAYLA]
    for channel_id, channel, topic in (
        (GENERAL, "general", "Announcements and everything else"),
        (ASK_HR, "ask-hr", "Leave, pay, benefits, travel"),
        (ENGINEERING, "engineering", "How we build and run things"),
    ):
        workspace.add_channel(Channel(channel_id, channel, list(everyone), topic=topic))
    workspace.add_channel(
        Channel(LEADERSHIP, "leadership", [SAM], is_private=True, topic="Leadership only")
    )
    return workspace
