"""``python -m geomag.bench.gpu --out FILE``: all sections on one device."""

import argparse
import importlib.util
import sys
from pathlib import Path

NEEDED = (
    "torch", "transformers", "peft", "safetensors", "tokenizers", "sam2", "iopath", "hydra",
    "numpy", "cv2", "yaml", "pycocotools",
)  # fmt: skip


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="gpu_check", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON Lines file, appended to")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try it")
    parser.add_argument("--layers", type=int, default=32, help="decoder layers")
    parser.add_argument("--small", action="store_true", help="tiny widths, to try it on a CPU")
    parser.add_argument("--seconds", type=float, default=470, help="limit of all sections together")
    parser.add_argument("--only", nargs="*", default=[], help="sections to run; all without")
    return parser.parse_args()


def missing_packages() -> list[str]:
    """Packages that are imported and not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def main() -> int:
    """Exit code: 0, 1 if a section failed, 2 if it cannot start."""
    asked = arguments()
    if missing := missing_packages():
        sys.stderr.write(f"gpu_check: not installed: {', '.join(missing)}\n")
        return 2
    import torch

    if torch.device(asked.device).type == "cuda" and not torch.cuda.is_available():
        sys.stderr.write("gpu_check: torch sees no CUDA device; try --device cpu --small\n")
        return 2
    from geomag.bench.gpu.check import check
    from geomag.bench.gpu.random_model import Scale

    scale = Scale(device=asked.device, layers=asked.layers, small=asked.small)
    n_failed = check(scale, asked.out, seconds=asked.seconds, only=asked.only)
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
