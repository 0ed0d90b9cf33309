"""Why documents failed or were skipped: grouped, the first few named, all of them as a file."""

from collections.abc import Iterable, Mapping, Sequence

from bot.markup import escape_mrkdwn, one_line
from bot.texts import Texts
from knowledge.report import Report

GROUPS, NAMES = 3, 3  # in the message itself; the thread has the rest
NAME_CHARACTERS, REASON_CHARACTERS = 60, 160


def by_reason(rows: Iterable[tuple[str, str]]) -> Mapping[str, list[str]]:
    """Keys by their reason, the most frequent reason first."""
    groups: dict[str, list[str]] = {}
    for key, reason in rows:
        groups.setdefault(reason, []).append(key)
    return dict(sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])))


def reason_lines(report: Report, texts: Texts) -> tuple[list[str], bool]:
    """The first reasons with the first names, and whether that is all there is."""
    lines: list[str] = []
    whole = True
    for text, rows in (
        ("reindex_reason_failed", report.failed),
        ("reindex_reason_skipped", report.skipped),
    ):
        groups = by_reason(rows)
        for reason, keys in list(groups.items())[:GROUPS]:
            names = texts.listed(_shown(key, NAME_CHARACTERS) for key in keys[:NAMES])
            names += ", …" if len(keys) > NAMES else ""
            values = {"count": len(keys), "names": names}
            shown = _shown(reason, REASON_CHARACTERS)
            lines.append("• " + texts.get(text, reason=shown, **values))  # type: ignore[arg-type]
        whole &= len(groups) <= GROUPS and all(len(keys) <= NAMES for keys in groups.values())
    return lines, whole


def reasons_file(reports: Mapping[str, Report]) -> str:
    """Everything that failed or was skipped in a run, by source and reason, as plain text."""
    lines: list[str] = []
    for source, report in reports.items():
        for what, rows in (("failed", report.failed), ("skipped", report.skipped)):
            lines += _section(f"{source}: {what}", rows)
    return "\n".join(lines) + "\n"


def _section(title: str, rows: Sequence[tuple[str, str]]) -> list[str]:
    lines: list[str] = []
    for reason, keys in by_reason(rows).items():
        lines += [f"{title}, {len(keys)}: {reason}", *(f"    {key}" for key in keys), ""]
    return lines


def _shown(text: str, most: int) -> str:
    return escape_mrkdwn(one_line(text, most))
