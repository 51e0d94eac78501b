"""SAM2's number format on a GPU, set around its work and nowhere else.

TensorFloat-32 rounds the factors of a product to 10 bits of mantissa and sums in float32. Measured,
it changes 0.03 % of mask pixels at twice the speed; bfloat16 changes 0.3 to 0.4 %
(docs/performance.md).
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Literal

import torch

Precision = Literal["float32", "tf32", "bfloat16"]


@contextmanager
def products_in(precision: Precision, device: torch.device) -> Iterator[None]:
    """Compute products in a format, and put the process's own settings back afterwards.

    Args:
        precision: ``float32``; its products by TensorFloat-32; or bfloat16 autocast.
        device: On a CPU ``tf32`` is float32.
    """
    matmul, cudnn = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = precision != "float32"
    torch.backends.cudnn.allow_tf32 = precision != "float32"
    is_half = precision == "bfloat16"
    try:
        with torch.autocast(device.type, dtype=torch.bfloat16) if is_half else nullcontext():
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = matmul
        torch.backends.cudnn.allow_tf32 = cudnn
