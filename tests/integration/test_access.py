"""Who may read: principals from the playground's memberships, closed where unknown."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.access import People
from bot.playground.scopes import DEFAULT_SCOPES
from bot.playground.seed import ASK_HR, LEADERSHIP, NORA, SAM, default_workspace
from bot.playground.server import Playground
from bot.playground.team import User

TEAM = "T0PLAYGRND"


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Office:
    """A playground with somebody who asks about rights."""

    def __init__(self, playground: Playground, client: AsyncWebClient) -> None:
        self.playground, self.client, self.clock = playground, client, Clock()
        self.people = People(client, TEAM, now=self.clock)

    def calls(self, method: str) -> int:
        return [name for name, _ in self.playground.calls].count(method)


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with Playground() as playground, aiohttp.ClientSession() as session:
        client = AsyncWebClient(playground.bot_token, base_url=playground.api_url, session=session)
        yield Office(playground, client)


async def test_a_channel_of_members_reads_what_everyone_reads(office: Office) -> None:
    readers = await office.people.readers_of_channel(ASK_HR)
    assert readers == {"everyone", f"channel:{TEAM}:{ASK_HR}"}


async def test_a_private_channel_of_members_does_too(office: Office) -> None:
    office.playground.workspace.join("U0LOREWISE", LEADERSHIP)
    readers = await office.people.readers_of_channel(LEADERSHIP)
    assert readers == {"everyone", f"channel:{TEAM}:{LEADERSHIP}"}


async def test_a_channel_that_we_cannot_see_reads_nothing_of_everyone_s(office: Office) -> None:
    assert await office.people.readers_of_channel(LEADERSHIP) == {f"channel:{TEAM}:{LEADERSHIP}"}
    assert await office.people.readers_of_channel("C0UNKNOWN") == {f"channel:{TEAM}:C0UNKNOWN"}


@pytest.mark.parametrize("flag", ["is_restricted", "is_ultra_restricted", "is_stranger"])
async def test_a_channel_with_a_guest_reads_only_what_is_shared_with_it(
    office: Office, flag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = office.playground.workspace
    workspace.add_user(User("U0GUEST", "guest", "Gus Guest"))
    workspace.channels[ASK_HR].members.append("U0GUEST")
    mark(monkeypatch, "U0GUEST", **{flag: True})
    assert await office.people.readers_of_channel(ASK_HR) == {f"channel:{TEAM}:{ASK_HR}"}
    assert "everyone" not in await office.people.readers_alone("U0GUEST")
    assert f"channel:{TEAM}:{ASK_HR}" in await office.people.readers_alone("U0GUEST")


async def test_a_member_of_another_workspace_is_nobody_of_ours(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark(monkeypatch, NORA, team_id="T0OTHER")
    assert await office.people.readers_of_channel(ASK_HR) == {f"channel:{TEAM}:{ASK_HR}"}
    assert "everyone" not in await office.people.readers_alone(NORA)


async def test_a_person_s_confirmed_address_is_theirs_alone_in_lower_case(office: Office) -> None:
    workspace = office.playground.workspace
    workspace.users[NORA].email = "Nora.Haddad@Acme.example"
    assert "email:nora.haddad@acme.example" in await office.people.readers_alone(NORA)
    assert "email:nora.haddad@acme.example" not in await office.people.readers_alone(SAM)
    assert not [r for r in await office.people.readers_of_channel(ASK_HR) if r.startswith("email")]


async def test_a_guest_of_ours_has_an_address_too(office: Office) -> None:
    workspace = office.playground.workspace
    workspace.add_user(User("U0GUEST", "gus", "Gus Guest", is_restricted=True))
    readers = await office.people.readers_alone("U0GUEST")
    assert "email:gus@acme.example" in readers
    assert "everyone" not in readers


@pytest.mark.parametrize(
    "fields",
    [
        {"is_stranger": True},
        {"team_id": "T0OTHER"},
        {"deleted": True},
        {"is_email_confirmed": False},
        {"email": "nora@acme.example,sam@acme.example@x"},
    ],
)
async def test_an_address_that_may_be_somebody_else_s_gives_no_right(
    office: Office, fields: dict[str, Any]
) -> None:
    for name, value in fields.items():
        setattr(office.playground.workspace.users[NORA], name, value)
    readers = await office.people.readers_alone(NORA)
    assert not [reader for reader in readers if reader.startswith("email:")]


async def test_without_the_scope_there_is_no_address() -> None:
    workspace = default_workspace(scopes=DEFAULT_SCOPES - {"users:read.email"})
    async with Playground(workspace) as playground, aiohttp.ClientSession() as session:
        client = AsyncWebClient(playground.bot_token, base_url=playground.api_url, session=session)
        readers = await People(client, TEAM).readers_alone(NORA)
        assert readers >= {"everyone", f"user:{TEAM}:{NORA}"}
        assert not [reader for reader in readers if reader.startswith("email:")]


async def test_who_leaves_a_channel_loses_it_within_a_minute(office: Office) -> None:
    workspace = office.playground.workspace
    assert f"channel:{TEAM}:{ASK_HR}" in await office.people.readers_alone(NORA)
    workspace.leave(NORA, ASK_HR)
    office.clock.seconds = 61.0
    assert f"channel:{TEAM}:{ASK_HR}" not in await office.people.readers_alone(NORA)


async def test_an_event_of_a_membership_counts_at_once(office: Office) -> None:
    workspace = office.playground.workspace
    assert f"channel:{TEAM}:{ASK_HR}" in await office.people.readers_alone(NORA)
    assert "everyone" in await office.people.readers_of_channel(ASK_HR)
    workspace.leave(NORA, ASK_HR)
    office.people.moved(ASK_HR, NORA)
    assert f"channel:{TEAM}:{ASK_HR}" not in await office.people.readers_alone(NORA)
    workspace.add_user(User("U0GUEST", "gus", "Gus Guest", is_restricted=True))
    workspace.join("U0GUEST", ASK_HR)
    office.people.moved(ASK_HR, "U0GUEST")
    office.clock.seconds = 301.0  # the directory is asked for every five minutes
    assert "everyone" not in await office.people.readers_of_channel(ASK_HR)


async def test_somebody_unknown_has_only_the_own_name(office: Office) -> None:
    assert await office.people.readers_alone("U0NOBODY") == {f"user:{TEAM}:U0NOBODY"}


async def test_a_person_has_the_own_groups_and_channels(office: Office) -> None:
    workspace = office.playground.workspace
    workspace.usergroups.append({"id": "S0HR", "users": [NORA]})
    workspace.usergroups.append({"id": "S0IT", "users": [SAM]})
    workspace.join("U0LOREWISE", LEADERSHIP)
    nora, sam = await office.people.readers_alone(NORA), await office.people.readers_alone(SAM)
    assert f"group:{TEAM}:S0HR" in nora
    assert f"group:{TEAM}:S0IT" not in nora
    assert f"channel:{TEAM}:{LEADERSHIP}" in sam
    assert f"channel:{TEAM}:{LEADERSHIP}" not in nora


async def test_a_missing_scope_gives_no_right() -> None:
    scopes = DEFAULT_SCOPES - {"users:read", "usergroups:read"}
    workspace = default_workspace(scopes=scopes)
    async with Playground(workspace) as playground, aiohttp.ClientSession() as session:
        client = AsyncWebClient(playground.bot_token, base_url=playground.api_url, session=session)
        people = People(client, TEAM)
        assert await people.readers_of_channel(ASK_HR) == {f"channel:{TEAM}:{ASK_HR}"}
        assert "everyone" not in await people.readers_alone(NORA)
        assert not await people.is_admin(SAM)


async def test_a_passing_failure_is_no_answer_about_rights(office: Office) -> None:
    office.playground.workspace.faults.add("users.info", "error", error="internal_error", times=1)
    with pytest.raises(SlackApiError):
        await office.people.readers_alone(NORA)
    assert "everyone" in await office.people.readers_alone(NORA)


async def test_admins_are_slack_s_or_named(office: Office) -> None:
    assert await office.people.is_admin(SAM)
    assert not await office.people.is_admin(NORA)
    assert await People(office.client, TEAM, frozenset({NORA})).is_admin(NORA)
    assert not await office.people.is_admin("U0NOBODY")


async def test_a_role_that_is_taken_away_ends_within_a_minute(office: Office) -> None:
    assert await office.people.is_admin(SAM)
    office.playground.workspace.users[SAM].is_admin = False
    office.clock.seconds = 59.0
    assert await office.people.is_admin(SAM)
    office.clock.seconds = 61.0
    assert not await office.people.is_admin(SAM)


async def test_questions_at_once_share_their_look_ups(office: Office) -> None:
    import asyncio

    await asyncio.gather(*(office.people.readers_of_channel(ASK_HR) for _ in range(8)))
    assert office.calls("conversations.members") == 1
    assert office.calls("users.list") == 1


def mark(monkeypatch: pytest.MonkeyPatch, user_id: str, **fields: object) -> None:
    """Slack's shape of one person, with other fields: the playground has no guests."""
    from bot.playground import methods_people

    original = methods_people._user_shape

    def shape(call: Any, user: Any) -> Any:
        return original(call, user) | (fields if user.id == user_id else {})

    monkeypatch.setattr(methods_people, "_user_shape", shape)
