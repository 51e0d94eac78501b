"""The loop: schedule, resume to the same bits, stop on a signal, refuse what does not belong."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import torch

from geomag.errors import ResumeError
from geomag.seeds import generator
from geomag.train.checkpoint import checkpoint_folder, latest_checkpoint, one_training
from geomag.train.loop import LoopSettings, Stopped, learning_rate, train


class Line:
    """A regression whose batches are a function of the update alone."""

    def __init__(self):
        torch.manual_seed(0)
        self.layer = torch.nn.Sequential(
            torch.nn.Linear(3, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 1)
        )

    def parameters(self):
        return dict(self.layer.named_parameters())

    def batch(self, update, size):
        rng = generator("line", update)
        return [torch.from_numpy(rng.normal(size=3)).float() for _ in range(size)]

    def losses(self, samples, update):
        x = torch.stack(samples)
        error = (self.layer(x)[:, 0] - x.sum(1)).square()
        return {"total": error.sum() / len(update)}


def settings(**changes):
    values = {"steps": 12, "batch": 4, "micro_batch": 2, "lr": 0.05, "warmup": 2, "save_every": 5}
    return LoopSettings(**{**values, **changes})


def run(job, folder, *, log=lambda *_: None, identity=None, **changes):
    train(job, settings(**changes), checkpoints=folder, identity=identity or {"data": "a"}, log=log)
    return {k: v.detach().clone() for k, v in job.parameters().items()}


def stop_after(update):
    def log(done, _):
        if done == update:
            os.kill(os.getpid(), signal.SIGTERM)

    return log


def test_stopped_and_resumed_equals_undisturbed_to_the_bit(tmp_path):
    whole = run(Line(), tmp_path / "whole")
    with pytest.raises(Stopped, match="after update 7 of 12"):
        run(Line(), tmp_path / "parts", log=stop_after(7), log_every=1)
    resumed = run(Line(), tmp_path / "parts")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_micro_batches_add_up_to_the_batch(tmp_path):
    job, other = Line(), Line()
    for layer in (job.layer[1], other.layer[1]):
        layer.p = 0.0
    a = run(job, tmp_path / "a", micro_batch=4)
    b = run(other, tmp_path / "b", micro_batch=1)
    assert all(torch.allclose(a[name], b[name], atol=1e-5) for name in a)


def test_a_checkpoint_of_other_inputs_is_refused_with_what_changed(tmp_path):
    with pytest.raises(Stopped):
        run(Line(), tmp_path, log=stop_after(3), log_every=1)
    with pytest.raises(ResumeError, match="made from other data"):
        run(Line(), tmp_path, identity={"data": "b"})


HERE = {"data": "a", "code": "c0de", "commit": "1111aaaa"}


def half_trained(work, identity=HERE):
    folder = checkpoint_folder(work, "joint", identity)
    with pytest.raises(Stopped):
        run(Line(), folder, log=stop_after(3), log_every=1, identity=identity)
    return folder


def test_a_checkpoint_of_other_code_is_refused_with_both_commits_and_kept(tmp_path):
    folder = half_trained(tmp_path)
    edited = {"data": "a", "code": "ed17", "commit": "2222bbbb with uncommitted changes"}
    with pytest.raises(ResumeError) as refused:
        checkpoint_folder(tmp_path, "joint", edited)
    assert str(refused.value) == (
        f"{folder}/update-0000003: made by code c0de of commit 1111aaaa. Wanted: code ed17 of "
        "commit 2222bbbb with uncommitted changes, which is what would run now. Remedy: go back "
        f"to that code to resume, or remove {tmp_path} to start over"
    )
    assert latest_checkpoint(folder).name == "update-0000003"
    with pytest.raises(ResumeError, match=r"of commit 1111aaaa\. Wanted: code ed17"):
        run(Line(), folder, identity=edited)


def test_the_same_code_at_another_commit_resumes(tmp_path):
    folder = half_trained(tmp_path)
    assert checkpoint_folder(tmp_path, "joint", {**HERE, "commit": "3333"}) == folder
    run(Line(), folder, identity={**HERE, "commit": "3333"})


def test_other_data_starts_afresh_whatever_the_code(tmp_path):
    folder = half_trained(tmp_path)
    other = checkpoint_folder(tmp_path, "joint", {**HERE, "data": "b", "code": "ed17"})
    assert other != folder
    assert not folder.exists()


def test_where_nothing_was_trained_yet_other_code_may_start(tmp_path):
    folder = half_trained(tmp_path)
    (folder / "update-0000003" / "complete.json").unlink()
    checkpoint_folder(tmp_path, "joint", {**HERE, "code": "ed17"})
    assert not folder.exists()


def test_a_second_training_in_the_same_folder_is_refused_until_the_first_has_ended(tmp_path):
    work = tmp_path / "work" / "train"
    with one_training(work):
        refused = pytest.raises(ResumeError, match=f"process {os.getpid()} trains here")
        with refused, one_training(work):
            pass
    with one_training(work):
        pass


def test_f28_a_half_written_checkpoint_is_ignored(tmp_path):
    run(Line(), tmp_path)
    newest = latest_checkpoint(tmp_path)
    (newest / "complete.json").unlink()
    assert latest_checkpoint(tmp_path) != newest


def test_f31_a_loss_that_stays_not_finite_stops_and_keeps_the_last_good_state(tmp_path):
    job = Line()
    good = job.losses

    def losses(samples, update):
        found = good(samples, update)
        return {"total": found["total"] * float("nan")} if job.broken else found

    job.broken = False
    job.losses = losses

    def log(done, _):
        job.broken = done >= 5

    with pytest.raises(FloatingPointError, match=r"lower train\.lr"):
        run(job, tmp_path, log=log, log_every=1)
    assert latest_checkpoint(tmp_path).name == "update-0000005"
    assert all(bool(torch.isfinite(p).all()) for p in job.parameters().values())


def test_cosine_starts_at_the_rate_and_ends_near_zero():
    chosen = LoopSettings(steps=102, batch=1, micro_batch=1, lr=2.0, warmup=2, schedule="cosine")
    assert learning_rate(chosen, 2) == pytest.approx(2.0)
    assert learning_rate(chosen, 52) == pytest.approx(1.0)
    assert learning_rate(chosen, 101) == pytest.approx(2.0 * 0.5 * (1 - 0.99950656), abs=1e-6)


@pytest.mark.integration
def test_f28_kill_9_in_mid_training_then_the_same_command_gives_the_same_bits(tmp_path):
    script = textwrap.dedent(
        """
        import sys, time, hashlib
        from pathlib import Path
        from tests.train.test_loop import Line, run
        folder = Path(sys.argv[1])
        def log(done, _):
            print(done, flush=True)
            time.sleep(0.05)
        values = run(Line(), folder, log=log, log_every=1, steps=40, save_every=3)
        text = b"".join(v.numpy().tobytes() for v in values.values())
        print("digest", hashlib.sha256(text).hexdigest(), flush=True)
        """
    )

    def start(folder):
        return subprocess.Popen(
            [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True
        )

    whole = start(tmp_path / "whole").communicate(timeout=120)[0].splitlines()[-1]
    killed = start(tmp_path / "killed")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if killed.stdout.readline().strip() == "17":
            killed.kill()
            break
    assert killed.wait(timeout=30) == -signal.SIGKILL
    resumed = start(tmp_path / "killed").communicate(timeout=120)[0].splitlines()
    assert int(resumed[0]) == 16  # from the checkpoint after 15, not from the start
    assert resumed[-1] == whole
