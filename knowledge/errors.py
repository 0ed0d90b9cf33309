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
 ├── ModelConversionError
 ├── EmbeddingError
 │    ├── EmbeddingServerUnreachableError
 │    ├── EmbeddingServerRefusedError
 │    ├── EmbeddingServerBusyError
 │    ├── EmbeddingVectorsError
 │    └── EmbeddingModelBusyError
 ├── GenerationError
 │    ├── PromptTooLongError
 │    ├── OutOfMemoryError
 │    ├── ChatServerUnreachableError
 │    ├── ChatServerRefusedError
 │    ├── ChatServerBusyError
 │    │    └── ChatServerRateLimitError
 │    └── AnswerCutError
 ├── SourceError
 │    ├── SourceBusyError
 │    └── FetchError
 │         ├── AddressRefusedError
 │         └── ResponseTooLargeError
 ├── IndexingStoppedError
 ├── EvaluationError
 │    └── EvaluationDataError
 └── ParsingError
      └── EmptyDocumentError
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


class SourceBusyError(SourceError):
    """Another process is indexing this source now."""


class FetchError(SourceError):
    """A page cannot be had from its server."""


class AddressRefusedError(FetchError):
    """An address leads to where nobody may be sent: into the own network, to an odd port."""


class ResponseTooLargeError(FetchError):
    """A page is larger than what is taken."""


class IndexingStoppedError(KnowledgeError):
    """Indexing cannot go on; what was written stays, and the next run goes on from there."""


class EvaluationError(KnowledgeError):
    """An evaluation cannot be run."""


class EvaluationDataError(EvaluationError):
    """A file of an evaluation is missing or wrong; says which, and which line."""


class ParsingError(KnowledgeError):
    """A document cannot be read."""


class EmptyDocumentError(ParsingError):
    """A document has no text of its own: a redirect, a title without a page."""


class ModelNotFoundError(KnowledgeError):
    """A model was found neither as a path, nor in the hub's cache, nor in a bundled wheel."""


class EmbeddingError(KnowledgeError):
    """Texts could not be made into vectors."""


class EmbeddingServerUnreachableError(EmbeddingError):
    """The embedding server does not answer."""


class EmbeddingServerRefusedError(EmbeddingError):
    """The embedding server refuses the key, the model's name or the request."""


class EmbeddingServerBusyError(EmbeddingError):
    """The embedding server takes no more requests for now."""


class EmbeddingVectorsError(EmbeddingError):
    """The embedding server gave something else than the vectors that it was asked for."""


class EmbeddingModelBusyError(EmbeddingError):
    """Another process is building the vectors of a new model now."""


class GenerationError(KnowledgeError):
    """The chat model gave no answer."""


class PromptTooLongError(GenerationError):
    """The question and its passages are longer than the chat model can read."""


class OutOfMemoryError(GenerationError):
    """The chat model has not enough memory for this answer."""


class ChatServerUnreachableError(GenerationError):
    """The chat server does not answer."""


class ChatServerRefusedError(GenerationError):
    """The chat server refuses the key, the model's name or the request."""


class ChatServerBusyError(GenerationError):
    """The chat server has too much to do."""


class ChatServerRateLimitError(ChatServerBusyError):
    """The chat server takes no more of our requests for now, or our quota is used up."""


class AnswerCutError(GenerationError):
    """The chat server's answer broke off in the middle."""


class ModelConversionError(KnowledgeError):
    """A bundled model cannot be converted into a folder of this machine."""
