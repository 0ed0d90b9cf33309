"""The errors of the knowledge package. Each message says what to do.

KnowledgeError
 ├── SettingsError
 ├── DatabaseError
 │    ├── EmbeddedServerError
 │    ├── DatabaseUnreachableError
 │    ├── DatabaseTooOldError
 │    ├── ExtensionMissingError
 │    ├── DatabaseRightsError
 │    └── SchemaOutOfDateError
 ├── ModelNotFoundError
 ├── GenerationError
 ├── SourceError
 └── ParsingError
"""


class KnowledgeError(Exception):
    """The base of all errors of the knowledge package."""


class SettingsError(KnowledgeError):
    """A setting is missing, unknown or wrong."""


class DatabaseError(KnowledgeError):
    """The database cannot be used as it is."""


class EmbeddedServerError(DatabaseError):
    """The embedded Postgres server does not start."""


class DatabaseUnreachableError(DatabaseError):
    """No Postgres server answers at LOREWISE_DATABASE_URL."""


class DatabaseTooOldError(DatabaseError):
    """The Postgres server or its pgvector extension is older than Lorewise needs."""


class ExtensionMissingError(DatabaseError):
    """The Postgres server does not have the pgvector extension."""


class DatabaseRightsError(DatabaseError):
    """The role of LOREWISE_DATABASE_URL may not do what the migrations need."""


class SchemaOutOfDateError(DatabaseError):
    """The database was made by another version of Lorewise."""


class SourceError(KnowledgeError):
    """A source cannot be read."""


class ParsingError(KnowledgeError):
    """A document cannot be read."""


class ModelNotFoundError(KnowledgeError):
    """A model was found neither as a path, nor in the hub's cache, nor in a bundled wheel."""


class GenerationError(KnowledgeError):
    """The chat model gave no answer."""
