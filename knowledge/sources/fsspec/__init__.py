"""Places that fsspec can read: object stores, SFTP and FTP servers, listings, archives."""

from knowledge.sources.fsspec.kind import FSSPEC

__all__ = ["FSSPEC"]
