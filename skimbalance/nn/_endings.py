"""Inputs of the softmax or sigmoid at the end of a module: its logits, before they are rounded."""

from collections.abc import Callable
from typing import Any

from torch.overrides import TorchFunctionMode

__all__ = ["Endings"]

_OVER_CLASSES = {"softmax", "log_softmax", "special_softmax", "special_log_softmax"}
_OF_ONE = {"sigmoid", "logsigmoid", "special_expit"}


class Endings(TorchFunctionMode):
    """Context that stores input and output of the latest softmax, log-softmax or sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self._output: Any = None
        self._input: Any = None
        self._mark: Any = None

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call `func`, and store its input and output if it may end a classifier."""
        named = kwargs or {}
        output = func(*args, **named)
        if _ends(getattr(func, "__name__", ""), args, named):
            self._output, self._input = output, args[0] if args else named["input"]
            # The version rises with changes in place; tensors of inference mode have none.
            self._mark = output.clone() if output.is_inference() else output._version
        return output

    def before(self, output: Any) -> Any:
        """Return the input of the function that returned `output`, None if another operation did."""
        ours = self._output
        if ours is None:
            return None
        if not (ours.equal(self._mark) if ours.is_inference() else ours._version == self._mark):
            return None
        if ours.numel() != output.numel() or ours.data_ptr() != output.data_ptr():
            return None
        return self._input.reshape(output.shape)


def _ends(name: str, args: Any, named: dict[str, Any]) -> bool:
    """Return whether the call is a sigmoid, or a softmax over the last of its dimensions."""
    if name in _OF_ONE:
        return True
    if name not in _OVER_CLASSES:
        return False
    scores = args[0] if args else named["input"]
    dim = args[1] if len(args) > 1 else named.get("dim")
    return dim in (None, -1, scores.ndim - 1)
