"""Markdown cut to Slack's lengths: between paragraphs if possible, else between a list's items,
a table's rows, a code block's lines, sentences, words. A cut code block is closed and opened
again, a cut table gets its head again.

Where the first piece ends depends on nothing behind it, so the pieces of a growing text are
settled one after the other and are never cut anew.
"""

import re

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$")
_TABLE_RULE = re.compile(r"^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")
_SENTENCE_END = re.compile(r"[.!?؟。！？…]['\"”»)\]]*\s")
RESERVE = 24  # for the line that closes a cut code block


def split_markdown(text: str, most: int, most_paragraphs: int = 10_000) -> list[str]:
    """`text` in pieces of at most `most` characters (200 or more) and so many paragraphs.

    [] for no text.
    """
    pieces: list[str] = []
    rest = text.strip("\n")
    while True:
        window = rest[: most - RESERVE] if len(rest) > most else rest
        ends = _paragraph_ends(window)
        if len(ends) >= most_paragraphs:
            at = ends[most_paragraphs - 1]
        elif len(rest) > most:
            at = _border(window)
        else:
            return [*pieces, rest] if rest.strip() else pieces
        piece, rest = _cut(rest, at, most)
        pieces.append(piece)


def _cut(text: str, at: int, most: int) -> tuple[str, str]:
    head, tail = text[:at], text[at:].lstrip(" ")
    if fence := _open_fence(head):
        return f"{head.rstrip()}\n{_mark(fence)}", f"{fence}\n{tail.lstrip()}"
    tail = tail.lstrip("\n")
    table = _table_head(head, tail)
    if table and len(table) < most // 4:
        tail = table + "\n" + tail
    return head.rstrip(), tail


def _border(window: str) -> int:
    """Where to cut: the last good place in the window that leaves a piece of decent size."""
    least = len(window) // 3
    for borders in (_paragraph_ends(window), _line_ends(window)):
        good = [at for at in borders if at >= least]
        if good:
            return good[-1]
    sentences = [match.end() for match in _SENTENCE_END.finditer(window) if match.end() >= least]
    if sentences:
        return sentences[-1]
    space = window.rfind(" ", least)
    return space if space > 0 else _whole_characters(window)


def _paragraph_ends(window: str) -> list[int]:
    """The places between two paragraphs that are in no code block."""
    ends: list[int] = []
    fence, at = "", 0
    for line in window.splitlines(keepends=True):
        fence = _fence_after(fence, line.rstrip("\n"))
        if not line.strip() and not fence and at:
            ends.append(at)
        at += len(line)
    return ends


def _line_ends(window: str) -> list[int]:
    """The places between two lines; not in front of a table's rule, which belongs to its head."""
    ends = []
    for match in re.finditer("\n", window):
        line = window[match.end() :].split("\n", 1)[0]
        if not ("|" in line and _TABLE_RULE.match(line)):
            ends.append(match.end())
    return ends


def _whole_characters(window: str) -> int:
    """The window's end, moved back so that no escape, entity or joined character is torn."""
    at = len(window)
    while at > 1 and (
        window[at - 1] in "\\\u200c\u200d" or 0xFE00 <= ord(window[at - 1]) <= 0xFE0F
    ):
        at -= 1
    entity = re.search(r"&[a-z#0-9]{0,6}$", window[:at])
    return entity.start() if entity and entity.start() > 0 else at


def _fence_after(fence: str, line: str) -> str:
    """The line that opened the code block in which the next line stands, or ""."""
    match = _FENCE.match(line)
    if not match:
        return fence
    if not fence:
        return line if "`" not in match[2] or match[1][0] == "~" else ""
    opened = _mark(fence)
    closes = match[1][0] == opened[0] and len(match[1]) >= len(opened)
    return "" if closes and not match[2].strip() else fence


def _mark(fence: str) -> str:
    return re.sub(r"^ {0,3}(`+|~+).*$", r"\1", fence)


def _open_fence(head: str) -> str:
    fence = ""
    for line in head.split("\n"):
        fence = _fence_after(fence, line)
    return fence


def _table_head(head: str, tail: str) -> str:
    """The head of the table that a cut between `head` and `tail` goes through, or ""."""
    if "|" not in tail.split("\n", 1)[0]:
        return ""
    lines = head.rstrip("\n").split("\n")
    first = len(lines)
    while first > 0 and "|" in lines[first - 1]:
        first -= 1
    table = lines[first:]
    if head.endswith("\n\n") or len(table) < 2 or not _TABLE_RULE.match(table[1]):
        return ""
    return "\n".join(table[:2])
