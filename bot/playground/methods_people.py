"""users.*, usergroups.*, team.*, bots.*, auth.*, apps.* and api.*: who is who."""

import secrets
from typing import Any

from bot.playground import methods_conversations
from bot.playground.call import Call, Method
from bot.playground.errors import SlackError
from bot.playground.team import User

Json = dict[str, Any]


def _user_shape(call: Call, user: User) -> Json:
    workspace = call.workspace
    first, _, last = user.real_name.partition(" ")
    profile: Json = {
        "real_name": user.real_name,
        "real_name_normalized": user.real_name,
        "display_name": user.name,
        "display_name_normalized": user.name,
        "first_name": first,
        "last_name": last,
        "title": "",
        "phone": "",
        "status_text": "",
        "status_emoji": "",
        "team": workspace.team_id,
    }
    if user.id == workspace.bot.id:
        profile |= {"bot_id": workspace.bot_id, "api_app_id": workspace.app_id}
    elif not user.is_bot and "users:read.email" in workspace.scopes:
        profile["email"] = user.email or f"{user.name}@{workspace.team_domain}.example"
    shape: Json = {
        "id": user.id,
        "team_id": user.team_id or workspace.team_id,
        "name": user.name,
        "deleted": user.deleted,
        "color": user.color,
        "real_name": user.real_name,
        "tz": user.tz,
        "tz_label": user.tz,
        "tz_offset": 0,
        "profile": profile,
        "is_admin": user.is_admin,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": user.is_restricted,
        "is_ultra_restricted": False,
        "is_bot": user.is_bot,
        "is_app_user": False,
        "updated": 0,
        "is_email_confirmed": user.is_email_confirmed and not user.is_bot,
        "who_can_share_contact_card": "EVERYONE",
    }
    if user.is_stranger:
        shape["is_stranger"] = True
    return shape | ({"locale": user.locale} if call.flag("include_locale") else {})


def _user_info(call: Call) -> Json:
    return {"user": _user_shape(call, call.workspace.user(call.text("user")))}


def _user_list(call: Call) -> Json:
    page, metadata = call.page_of(list(call.workspace.users.values()))
    members = [_user_shape(call, user) for user in page]
    return {
        "members": members,
        "cache_ts": int(call.workspace.now()),
        "response_metadata": metadata,
    }


def _user_conversations(call: Call) -> Json:
    user = call.workspace.user(call.optional_text("user") or call.workspace.bot.id)
    kinds = (call.optional_text("types") or "public_channel").split(",")
    names = {"public_channel": "channel", "private_channel": "group", "im": "im"}
    wanted = {names.get(kind.strip(), "") for kind in kinds}
    bot = call.workspace.bot.id
    known = [
        channel
        for channel in call.workspace.channels_of(user.id)
        if channel.kind in wanted
        and (not channel.is_private or bot in channel.members)
        and not (channel.is_archived and call.flag("exclude_archived"))
    ]
    page, metadata = call.page_of(known)
    shapes = [methods_conversations.shape(call, channel) for channel in page]
    return {"channels": shapes, "response_metadata": metadata}


def _usergroups(call: Call) -> Json:
    with_users = call.flag("include_users")
    hidden = frozenset() if with_users else frozenset({"users"})
    return {
        "usergroups": [
            {name: value for name, value in group.items() if name not in hidden}
            for group in call.workspace.usergroups
        ]
    }


def _usergroup_users(call: Call) -> Json:
    wanted = call.text("usergroup")
    for group in call.workspace.usergroups:
        if group["id"] == wanted:
            return {"users": list(group.get("users", []))}
    raise SlackError("no_such_subteam")


def _team_info(call: Call) -> Json:
    workspace = call.workspace
    return {
        "team": {
            "id": workspace.team_id,
            "name": workspace.team_name,
            "domain": workspace.team_domain,
            "url": f"{call.base_url}/",
            "email_domain": f"{workspace.team_domain}.example",
            "icon": {},
        }
    }


def _bot_info(call: Call) -> Json:
    workspace = call.workspace
    wanted = call.optional_text("bot") or workspace.bot_id
    if wanted != workspace.bot_id:
        raise SlackError("bot_not_found")
    return {
        "bot": {
            "id": workspace.bot_id,
            "deleted": False,
            "name": workspace.bot.real_name,
            "updated": 0,
            "app_id": workspace.app_id,
            "user_id": workspace.bot.id,
            "icons": {},
        }
    }


def _auth_test(call: Call) -> Json:
    workspace = call.workspace
    return {
        "url": f"{call.base_url}/",
        "team": workspace.team_name,
        "user": workspace.bot.name,
        "team_id": workspace.team_id,
        "user_id": workspace.bot.id,
        "bot_id": workspace.bot_id,
        "is_enterprise_install": False,
    }


def _api_test(call: Call) -> Json:
    arguments = {name: value for name, value in call.arguments.items() if name != "token"}
    if error := call.optional_text("error"):
        raise SlackError(error, args=arguments)
    return {"args": arguments}


def _connections_open(call: Call) -> Json:
    ticket = secrets.token_hex(16)
    call.workspace.tickets[ticket] = call.workspace.now()
    address = call.base_url.replace("http", "ws", 1)
    return {"url": f"{address}/link/?ticket={ticket}&app_id={call.workspace.app_id}"}


READ = ("users:read",)
CONVERSATIONS = ("channels:read", "groups:read", "im:read")
METHODS = {
    "users.info": Method(_user_info, READ),
    "users.list": Method(_user_list, READ),
    "users.conversations": Method(_user_conversations, CONVERSATIONS),
    "usergroups.list": Method(_usergroups, ("usergroups:read",)),
    "usergroups.users.list": Method(_usergroup_users, ("usergroups:read",)),
    "team.info": Method(_team_info, ("team:read",)),
    "bots.info": Method(_bot_info, READ),
    "auth.test": Method(_auth_test, token="any"),
    "api.test": Method(_api_test, token="none"),
    "apps.connections.open": Method(_connections_open, token="app"),
}
