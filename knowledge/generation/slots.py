"""The key-value cache of a batch whose rows come and go.

Each row owns a slot, and its tokens stand at their own positions from 0 on: nothing is padded
on the left or shifted when a row joins. A row that leaves is overwritten by the last one.
"""

from typing import TYPE_CHECKING, Any

from transformers.cache_utils import Cache, DynamicCache

if TYPE_CHECKING:
    import torch

WIDTH_STEP = 256  # tokens; slots grow by whole steps, so that copying is rare


class SlotCache(Cache):
    """Keys and values of all layers, each (slots, heads, room, head size); and row lengths."""

    def __init__(self, rows: int, device: "torch.device") -> None:
        import torch

        super().__init__(layers=[])
        self._rows = torch.arange(rows, device=device)
        self._lengths = torch.zeros(rows, dtype=torch.long, device=device)
        self._keys: list[torch.Tensor] = []
        self._values: list[torch.Tensor] = []
        self._used = 0
        self._width = 0

    def join(self, prompt: DynamicCache) -> None:
        """Copy a finished prompt into the next free slot."""
        pairs = [(layer.keys, layer.values) for layer in prompt.layers]  # type: ignore[union-attr]
        length = prompt.get_seq_length()
        if not self._keys:
            self._keys = [self._empty(keys) for keys, _ in pairs]
            self._values = [self._empty(values) for _, values in pairs]
        self._widen(length + 1)
        for layer, (keys, values) in enumerate(pairs):
            self._keys[layer][self._used, :, :length] = keys[0]  # type: ignore[index]
            self._values[layer][self._used, :, :length] = values[0]  # type: ignore[index]
        self._lengths[self._used] = length
        self._used += 1

    def leave(self, row: int) -> None:
        """Free a slot: the last row takes it. The caller moves its own last row likewise."""
        self._used -= 1
        if not self._used:
            self._keys, self._values = [], []  # gives the memory of a rare long prompt back
        for tensor in [*self._keys, *self._values, self._lengths]:
            tensor[row] = tensor[self._used]

    def begin_step(self, dtype: "torch.dtype") -> "tuple[torch.Tensor, torch.Tensor]":
        """Make room for one more token a row.

        Returns the positions of these tokens (rows, 1), and the mask to add to the attention's
        scores (rows, 1, 1, width).
        """
        import torch

        self._width = int(self._lengths[: self._used].max()) + 1
        self._widen(self._width)
        positions = self._lengths[: self._used, None].clone()
        beyond = torch.arange(self._width, device=positions.device) > positions
        mask = torch.zeros(beyond.shape, dtype=dtype, device=positions.device)
        return positions, mask.masked_fill_(beyond, torch.finfo(dtype).min)[:, None, None]

    def update(
        self,
        key_states: "torch.Tensor",
        value_states: "torch.Tensor",
        layer_idx: int,
        *_: Any,
        **__: Any,
    ) -> "tuple[torch.Tensor, torch.Tensor]":
        """Write one token a row at the row's own position; called by each layer of the model."""
        used, width = self._used, self._width
        keys, values = self._keys[layer_idx], self._values[layer_idx]
        rows, positions = self._rows[:used], self._lengths[:used]
        keys[rows, :, positions] = key_states[:, :, 0]
        values[rows, :, positions] = value_states[:, :, 0]
        return keys[:used, :, :width], values[:used, :, :width]

    def end_step(self) -> None:
        """Count the token that the model has written for each row."""
        self._lengths[: self._used] += 1

    def _empty(self, like: "torch.Tensor | None") -> "torch.Tensor":
        assert like is not None
        return like.new_zeros(len(self._rows), like.shape[1], 0, like.shape[3])

    def _widen(self, width: int) -> None:
        room = self._keys[0].shape[2]
        if width <= room:
            return
        room = -(-max(width, room * 5 // 4) // WIDTH_STEP) * WIDTH_STEP
        self._keys = [_widened(keys, room) for keys in self._keys]
        self._values = [_widened(values, room) for values in self._values]


def _widened(old: "torch.Tensor", room: int) -> "torch.Tensor":
    """Zeros, not garbage, in the new room: what is masked is still multiplied, by zero."""
    new = old.new_zeros(old.shape[0], old.shape[1], room, old.shape[3])
    new[:, :, : old.shape[2]] = old
    return new
