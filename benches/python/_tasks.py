"""What workers do in `many_frames.py`: their processes import it from here."""

import os
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Give:
    """Returns what it holds, as a frame that was measured in no time."""

    result: Any

    def __call__(self, _: str) -> Any:
        return self.result, os.getpid(), time.process_time()


@dataclass(frozen=True)
class Evaluate:
    """Evaluates a star as a fit would, on a copy of the model; returns the seconds."""

    model: Any

    def __call__(self, _: int) -> float:
        begin = time.perf_counter()
        model = self.model.copy()
        model(model.x_0.value, model.y_0.value)
        return time.perf_counter() - begin
