"""The embedders that questions are asked with, as the database says, while that may change.

The settings name what is wanted; the database says what is complete. Where both differ, questions
go on with what is complete, and `lorewise index` builds the rest beside it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import overload

from knowledge.cutting import Embedders
from knowledge.database import Database
from knowledge.embedding import Embedder, Recipe
from knowledge.embedding.recipe import same_space
from knowledge.errors import KnowledgeError
from knowledge.roster import (
    Loaded,
    Model,
    begin_building,
    language_of,
    live_models,
    read_models,
    take,
    with_roles,
)

logger = logging.getLogger(__name__)

Load = Callable[[Recipe], Awaitable[Embedder]]

FOLLOW_SECONDS = 5.0


class LiveEmbedders(Sequence[Embedder]):
    """The last reads every language, one before it English. Made by `open_live`."""

    def __init__(self, database: Database, wanted: Sequence[Recipe], load: Load) -> None:
        self._database, self._wanted, self._load = database, tuple(wanted), load
        self._live: tuple[Loaded, ...] = ()
        self._coming: tuple[Loaded, ...] = ()
        self._seen: list[str] = []

    @overload
    def __getitem__(self, index: int) -> Embedder: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Embedder]: ...
    def __getitem__(self, index: int | slice) -> Embedder | Sequence[Embedder]:
        """The embedders of this moment."""
        return tuple(one.embedder for one in self._live)[index]

    def __len__(self) -> int:
        return len(self._live)

    async def refresh(self) -> None:
        """Load what the database asks questions with, or, where it has nothing yet, the wanted."""
        models = await live_models(self._database)
        names = [model.name for model in models]
        if self._live and names == self._seen:
            return
        found = await self._stored(models)
        if found is None:
            found = await self._all(self._wanted)
        self._live, self._seen = found, names

    async def follow(self) -> None:
        """Refresh every few seconds until cancelled."""
        while True:
            await asyncio.sleep(FOLLOW_SECONDS)
            try:
                await self.refresh()
            except Exception:  # the edge: the old embedders go on, the next turn tries again
                logger.exception(
                    "The embedding models could not be looked up", extra={"action": "follow_failed"}
                )

    async def prepare(self) -> Embedders:
        """What an indexing run writes: the live models' vectors and those being built.

        Call it while holding `roster.indexing`, so that no swap comes between.
        """
        await self.refresh()
        if not await live_models(self._database):
            await take(self._database, self._live)
        self._coming = await self._changed()
        await begin_building(self._database, self._coming)
        writing: dict[tuple[str, str], Embedder] = {}
        for role, one in [*with_roles(self._live), *_roles(self._coming)]:
            writing.setdefault((one.embedder.name, role), one.embedder)
        everywhere = {name for name, role in writing if role == "every"}
        return [
            (embedder, _takes(language_of(role)))
            for (name, role), embedder in writing.items()
            if role == "every" or name not in everywhere
        ]

    @property
    def coming(self) -> Sequence[Loaded]:
        """What `prepare` has found to be built; empty where the live models are the wanted ones."""
        return self._coming

    async def _stored(self, models: Sequence[Model]) -> tuple[Loaded, ...] | None:
        """The live models of the database, or None where they cannot be loaded here."""
        recipes = [model.recipe for model in models if model.recipe]
        if not models or len(recipes) < len(models):
            return None
        try:
            loaded = await self._all(recipes)
        except KnowledgeError as error:
            logger.warning(
                "The models of the index cannot be loaded, so questions are asked with those of "
                "the settings: %s",
                error,
                extra={"action": "live_model_missing"},
            )
            return None
        for model, one in zip(models, loaded, strict=True):
            _share(one, [model])
            if model.name != one.embedder.name:
                logger.warning(
                    "%s has changed: its vectors in the index are of %s. Run `lorewise index`.",
                    one.recipe.model,
                    model.name,
                    extra={"action": "live_model_changed"},
                )
        return loaded

    async def _changed(self) -> tuple[Loaded, ...]:
        """The wanted models where they are others than the live ones, else nothing."""
        async with self._database.app.connect() as connection:
            models = await read_models(connection)
        wanted = await self._all(self._wanted)
        for one in wanted:
            _share(one, models)
        live = [model.name for model in models if model.role]
        return () if live == [one.embedder.name for one in wanted] else wanted

    async def _all(self, recipes: Sequence[Recipe]) -> tuple[Loaded, ...]:
        """Load what is not loaded yet."""
        known = {one.recipe.as_json(): one for one in (*self._live, *self._coming)}
        return tuple(
            [
                known.get(recipe.as_json()) or Loaded(await self._load(recipe), recipe)
                for recipe in recipes
            ]
        )


async def open_live(database: Database, wanted: Sequence[Recipe], load: Load) -> LiveEmbedders:
    """Load the embedders that questions are asked with."""
    live = LiveEmbedders(database, wanted, load)
    await live.refresh()
    return live


def _share(one: Loaded, models: Sequence[Model]) -> None:
    """Give an embedder the name under which another precision's vectors are stored already."""
    if all(model.name != one.embedder.name for model in models):
        for model in models:
            if same_space(model.name, one.embedder.name):
                one.embedder.name = model.name


def _roles(coming: Sequence[Loaded]) -> list[tuple[str, Loaded]]:
    return with_roles(coming) if coming else []


def _takes(language: str | None) -> Callable[[str], bool]:
    return lambda given: language is None or given == language
