"""Times as vendors write them."""

from datetime import UTC, datetime


def moment_of(text: object) -> datetime | None:
    """An aware time from its ISO form; None where it is none."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
