"""Resumable training state: a folder a checkpoint, whole or absent, tied to its inputs."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from geomag.errors import ResumeError
from geomag.io import read_json, write_json
from geomag.partial import partial_folder
from geomag.resume import CODE, differing, identity_digest, of_other_code

MARKER = "complete.json"


@contextmanager
def one_training(work: Path) -> Iterator[None]:
    """Keep a second training out of a folder of resumable state, whoever starts it.

    Raises:
        ResumeError: If one is at work there.
    """
    work.parent.mkdir(parents=True, exist_ok=True)
    with work.with_name(f"{work.name}.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = f"process {lock.read().strip()} trains here"
            raise ResumeError(str(work), holder, remedy="wait for its end, or stop it") from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}")
        lock.flush()
        yield


def checkpoint_folder(work: Path, name: str, identity: Mapping[str, str]) -> Path:
    """Where a run of this identity keeps its state; folders of other identities are removed.

    So a change of settings or data starts afresh, and the same command after a stop resumes.

    Raises:
        ResumeError: If updates were made on the same settings and data by other code: nothing is
            removed, for the run may be worth going back to that code.
    """
    chosen = work / f"{name}-{identity_digest(identity)}"
    others = [folder for folder in work.glob(f"{name}-*") if folder != chosen]
    for other in others:
        if newest := latest_checkpoint(other):
            made = _marker(newest)["identity"]
            if differing(made, identity) == [CODE]:
                raise _of_other_code(newest, made, identity)
    for other in others:
        shutil.rmtree(other)
    return chosen


def save_checkpoint(
    root: Path,
    *,
    update: int,
    parameters: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    identity: Mapping[str, str],
) -> Path:
    """Write ``root/update-N`` under a temporary name, marker last, rename, then drop older ones.

    Args:
        root: Folder of the run's checkpoints, outside any pipeline output.
        update: Optimizer updates done.
        parameters: Trainable tensors by name.
        optimizer: AdamW over exactly those tensors, in the same order.
        identity: Digests of configuration and inputs; a resume must match them.
    """
    final = root / f"update-{update:07d}"
    with partial_folder(final) as temporary:
        save_file(
            {k: v.detach().contiguous() for k, v in parameters.items()},
            temporary / "parameters.safetensors",
        )
        tensors = _optimizer_tensors(optimizer, list(parameters))
        save_file(tensors, temporary / "optimizer.safetensors")
        _sync(temporary)
        write_json(temporary / MARKER, {"update": update, "identity": dict(identity)})
        shutil.rmtree(final, ignore_errors=True)
        temporary.rename(final)
    for older in sorted(root.glob("update-*"))[:-2]:
        shutil.rmtree(older)
    return final


def latest_checkpoint(root: Path) -> Path | None:
    """The newest folder that carries its marker; half-written ones are ignored."""
    whole = [p for p in sorted(root.glob("update-*")) if (p / MARKER).is_file()]
    return whole[-1] if whole else None


def load_checkpoint(
    folder: Path,
    *,
    parameters: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    identity: Mapping[str, str],
) -> int:
    """Restore tensors and optimizer in place; returns the updates done.

    Raises:
        ResumeError: If the checkpoint was made from other settings, data, code or parameter names.
    """
    marker = _marker(folder)
    if changed := differing(marker["identity"], identity):
        if changed == [CODE]:
            raise _of_other_code(folder, marker["identity"], identity)
        raise ResumeError(
            str(folder),
            f"made from other {', '.join(changed)}",
            remedy="remove it to start over, or restore the inputs",
        )
    saved = load_file(folder / "parameters.safetensors")
    if set(saved) != set(parameters):
        raise ResumeError(
            str(folder), "holds other parameter names", remedy="remove it to start over"
        )
    with torch.no_grad():
        for name, tensor in parameters.items():
            tensor.copy_(saved[name])
    _restore_optimizer(optimizer, list(parameters), load_file(folder / "optimizer.safetensors"))
    return int(marker["update"])


def _marker(folder: Path) -> dict[str, Any]:
    return dict(read_json(folder / MARKER))


def _of_other_code(folder: Path, made: Mapping[str, str], wanted: Mapping[str, str]) -> ResumeError:
    return of_other_code(str(folder), made, wanted, remove=str(folder.parent.parent))


def _optimizer_tensors(optimizer: torch.optim.Optimizer, names: list[str]) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {
        f"{names[index]}/{key}": value.detach().clone().contiguous()
        for index, entry in state.items()
        for key, value in entry.items()
    }


def _restore_optimizer(
    optimizer: torch.optim.Optimizer, names: list[str], tensors: dict[str, Tensor]
) -> None:
    tree = optimizer.state_dict()
    place = {name: index for index, name in enumerate(names)}
    tree["state"] = {}
    for key, value in tensors.items():
        name, _, field = key.rpartition("/")
        tree["state"].setdefault(place[name], {})[field] = value
    optimizer.load_state_dict(tree)


def _sync(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as handle:
            os.fsync(handle.fileno())
