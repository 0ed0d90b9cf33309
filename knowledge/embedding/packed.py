"""Linear layers of a model on a CPU, with their weights laid out for oneDNN once.

torch lays the weights out anew, and copies the bias into the result, at each call. The two
operations used here are those that its own compiler emits; they are no public interface, so each
layer is tried against its original first, and where anything differs the model stays as it was.
"""

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

_ROWS = 1024  # tokens of a batch, for which the layout is chosen
_TOLERANCE = 0.02  # of the largest value: bfloat16 rounds to a 256th


def pack_linear_layers(model: "torch.nn.Module") -> int:
    """Put packed layers in the place of the model's linear ones; says how many there are."""
    import torch

    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return 0
    packed = 0
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is torch.nn.Linear:
                layer = _packed(child)
                if layer is None:
                    return packed  # this torch has other operations: the rest will not work either
                setattr(parent, name, layer)
                packed += 1
    return packed


def _packed(linear: "torch.nn.Linear") -> "torch.nn.Module | None":
    """The layer packed, or None where that does not work as it should."""
    import torch

    try:
        with torch.inference_mode():
            layer = _layer(linear)
            given = torch.randn(3, linear.in_features, dtype=linear.weight.dtype)
            wanted, got = linear(given).float(), layer(given).float()
        if (wanted - got).abs().max() <= _TOLERANCE * wanted.abs().max():
            return layer
        reason = "other results"
    except (AttributeError, RuntimeError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
    logger.info(
        "Linear layers are not packed (%s); embedding is somewhat slower.",
        reason.splitlines()[0],
        extra={"action": "layers_not_packed"},
    )
    return None


def _layer(linear: "torch.nn.Linear") -> "torch.nn.Module":
    import torch

    operations = torch.ops.mkldnn
    reorder, multiply = operations._reorder_linear_weight, operations._linear_pointwise  # noqa: SLF001

    class PackedLinear(torch.nn.Module):
        """A linear layer whose weight only oneDNN can read."""

        def __init__(self) -> None:
            super().__init__()
            self.in_features, self.out_features = linear.in_features, linear.out_features
            self.bias = linear.bias  # None where the layer has none
            self.weight = reorder(linear.weight.detach(), _ROWS)

        def forward(self, given: torch.Tensor) -> torch.Tensor:
            """As torch.nn.Linear."""
            found: torch.Tensor = multiply(given, self.weight, self.bias, "none", [], "")
            return found

    return PackedLinear()
