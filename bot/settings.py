"""Settings of the bot: Slack, the worker, the clock."""

from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apscheduler.triggers.cron import CronTrigger
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from knowledge.errors import SettingsError
from knowledge.settings import Section

Names = Annotated[tuple[str, ...], NoDecode]


def checked_cron(value: str) -> str:
    """A cron expression, or "never". Raises ValueError, which says which field is wrong."""
    if value != "never":
        CronTrigger.from_crontab(value)
    return value


class BotSettings(Section):
    """Slack in, answers out."""

    slack_bot_token: SecretStr | None = Field(
        default=None, description="Bot token of the Slack app (xoxb-…)."
    )
    slack_app_token: SecretStr | None = Field(
        default=None, description="App-level token (xapp-…) for Socket Mode; empty: HTTP mode."
    )
    slack_signing_secret: SecretStr | None = Field(
        default=None, description="Signing secret of the Slack app, for HTTP mode."
    )
    slack_api_url: str = Field(
        default="https://slack.com/api/",
        description="Base URL of the Web API; any Slack-compatible server can stand in.",
    )
    slack_mode: Literal["auto", "socket", "http"] = Field(
        default="auto", description="auto: Socket Mode when there is an app token, else HTTP."
    )
    http_host: str = Field(default="127.0.0.1", description="Address that HTTP mode listens on.")
    http_port: int = Field(default=3000, ge=0, le=65535, description="Port of HTTP mode.")
    http_path: str = Field(default="/slack/events", description="Path of Slack's requests.")
    admins: Names = Field(
        default=(),
        description="Slack user ids, comma-separated, who may reindex and retrain, "
        "besides the workspace's admins and owners.",
    )
    positive_reactions: Names = Field(
        default=("+1", "thumbsup"), description="Reactions that count as a thumb up."
    )
    negative_reactions: Names = Field(
        default=("-1", "thumbsdown"), description="Reactions that count as a thumb down."
    )
    follow_ups: Literal["asker", "everyone", "never"] = Field(
        default="asker",
        description="Whose replies without a mention, in a thread that the bot has answered, "
        "are questions when they look like one.",
    )
    history_turns: int = Field(
        default=6, ge=0, le=50, description="Earlier messages of a thread that a question brings."
    )
    reindex_cron: str = Field(
        default="0 3 * * *",
        description="When all sources without a schedule of their own are synced, in cron's five "
        "fields; `never` switches it off.",
    )
    time_zone: str = Field(
        default="UTC", description="The company's time zone, for the cron settings."
    )
    worker_concurrency: int = Field(
        default=8, ge=1, le=256, description="Questions that one process answers at once."
    )
    shutdown_seconds: float = Field(
        default=20.0, ge=0, description="How long running answers may finish when asked to stop."
    )

    @field_validator("admins", "positive_reactions", "negative_reactions", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip().strip(":") for part in value.split(",") if part.strip())
        return value

    @field_validator("slack_api_url")
    @classmethod
    def _end_with_slash(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            raise ValueError("write a URL that starts with https:// (or http:// on this machine)")
        return value if value.endswith("/") else f"{value}/"  # slack_sdk joins by plain addition

    @field_validator("http_path")
    @classmethod
    def _start_with_slash(cls, value: str) -> str:
        return value if value.startswith("/") else f"/{value}"

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("write an IANA name such as Europe/Berlin") from error
        return value

    @field_validator("reindex_cron")
    @classmethod
    def _valid_cron(cls, value: str) -> str:
        return checked_cron(value)

    @property
    def zone(self) -> ZoneInfo:
        """The company's time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def mode(self) -> Literal["socket", "http"]:
        """How Slack reaches us."""
        if self.slack_mode != "auto":
            return self.slack_mode
        return "socket" if self.slack_app_token else "http"

    def require_slack(self) -> None:
        """Check that everything that the mode needs is there.

        Raises:
            SettingsError: names the variables that are missing and how to come by them.
        """
        needed = {"LOREWISE_SLACK_BOT_TOKEN": (self.slack_bot_token, "xoxb-")}
        if self.mode == "socket":
            needed["LOREWISE_SLACK_APP_TOKEN"] = (self.slack_app_token, "xapp-")
        else:
            needed["LOREWISE_SLACK_SIGNING_SECRET"] = (self.slack_signing_secret, "")
        missing = [name for name, (value, _) in needed.items() if value is None]
        if missing:
            raise SettingsError(
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set. "
                "`lorewise manifest` prints the app's manifest: create the app with it at "
                "https://api.slack.com/apps, install it, and copy the values from its pages "
                "(for Socket Mode also LOREWISE_SLACK_APP_TOKEN with connections:write)."
            )
        for name, (value, prefix) in needed.items():
            if value is not None and not value.get_secret_value().startswith(prefix):
                raise SettingsError(f"{name} must start with {prefix}; another token was given.")
