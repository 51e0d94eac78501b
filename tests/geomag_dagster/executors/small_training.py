"""A training of seconds by the real loop, for tests that stop it; run as a script in its folder.

Writes ``progress`` (its process and the updates done), keeps its state in ``work/train`` and
publishes ``adapter`` once there is a file ``gate``: it cannot be over before the test has done.
"""

import os
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

from geomag.manifest import publish, write_manifest
from geomag.seeds import generator
from geomag.train.loop import LoopSettings, Stopped, train

STEPS = 60


class Regression:
    """Two layers with dropout; batches are a function of the update alone."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        layers = [torch.nn.Linear(8, 16), torch.nn.Dropout(0.5), torch.nn.Linear(16, 1)]
        self.layers = torch.nn.Sequential(*layers)

    def parameters(self):
        return dict(self.layers.named_parameters())

    def batch(self, update, size):
        time.sleep(0.05)  # so that a test which looks now and then meets it at its work
        rng = generator("regression", update)
        return [torch.from_numpy(rng.normal(size=8)).float() for _ in range(size)]

    def losses(self, samples, update):
        x = torch.stack(samples)
        error = (self.layers(x)[:, 0] - x.sum(1)).square()
        return {"total": error.sum() / len(update)}


def main() -> int:
    job = Regression()
    settings = LoopSettings(
        steps=STEPS, batch=4, micro_batch=4, lr=0.01, warmup=2, save_every=4, log_every=1
    )
    with Path("progress").open("a", buffering=1) as progress:

        def log(done, _):
            progress.write(f"{os.getpid()} {done}\n")

        try:
            train(job, settings, checkpoints=Path("work/train"), identity={}, log=log)
        except Stopped:
            return 130
        log(STEPS, {})  # an attempt that finds all updates done says so
    while not Path("gate").exists():
        time.sleep(0.01)
    with publish(Path("adapter")) as out:
        save_file(job.parameters(), out / "adapter.safetensors")
        write_manifest(out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
