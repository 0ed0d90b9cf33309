"""From token ids to text that may be shown: whole characters, and nothing of a stop string."""

from collections.abc import Callable, Sequence

UNFINISHED = "�"  # what a decoder writes for the beginning of a character


class Detokenizer:
    """Turns token ids into text, one by one.

    A token alone has no text of its own (a space may belong to it or not, a character may span
    several), so a window from the last safe place is decoded with and without the new tokens.
    """

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self._decode = decode
        self._ids: list[int] = []
        self._window = 0
        self._read = 0

    def add(self, token: int) -> str:
        """The text that this token finishes; empty while a character is unfinished."""
        self._ids.append(token)
        before = self._decode(self._ids[self._window : self._read])
        text = self._decode(self._ids[self._window :])
        if len(text) <= len(before) or text.endswith(UNFINISHED):
            return ""
        self._window, self._read = self._read, len(self._ids)
        return text[len(before) :]


class StopStrings:
    """Lets text through up to the first stop string, and holds back what may begin one."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = [one for one in stop if one]
        self._held = ""
        self.stopped = False

    def add(self, text: str) -> str:
        """The text that may be shown now. Sets `stopped` at the first stop string."""
        self._held += text
        ends = [at for at in map(self._held.find, self._stop) if at >= 0]
        if ends:
            self.stopped = True
            return self._take(min(ends))
        return self._take(len(self._held) - self._beginning())

    def rest(self) -> str:
        """What was held back, once no more text comes."""
        return "" if self.stopped else self._take(len(self._held))

    def _take(self, length: int) -> str:
        text, self._held = self._held[:length], self._held[length:]
        return text

    def _beginning(self) -> int:
        """How many characters at the end may be the beginning of a stop string."""
        longest = max(map(len, self._stop), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(one.startswith(self._held[-length:]) for one in self._stop):
                return length
        return 0
