"""Micro-batches in several processes: the same bits, no process left, failures told."""

import os
import signal
from dataclasses import replace
from multiprocessing import active_children as children

import pytest
import torch

from geomag.errors import ImageError
from geomag.model.model_input import plain_input
from geomag.train.joint import JointTraining
from geomag.train.loop import LoopSettings, Stopped, train
from geomag.train.mixture import Mixture
from geomag.train.samples import prepare
from geomag.train.side_by_side import forked_map, gradients, processes_for
from tests.model.whole import tiny_geomag
from tests.train.test_joint import IMAGE, RECORDS, samples
from tests.train.test_loop import Line, run, stop_after


@pytest.mark.parametrize("processes", [2, 3, 4])
def test_any_number_of_processes_gives_the_same_bits(tmp_path, processes):
    one = run(Line(), tmp_path / "one", batch=8)
    more = run(Line(), tmp_path / "more", batch=8, processes=processes)
    assert all(torch.equal(one[name], more[name]) for name in one)
    assert children() == []


def test_the_joint_training_gives_the_same_bits(tmp_path):
    found = []
    for processes in (1, 2):
        torch.manual_seed(4)  # the fresh parts
        model = tiny_geomag()
        job = JointTraining.of_samples(
            model, samples(model), model.profile.train, model.profile.prompt
        )
        settings = LoopSettings(
            steps=3, batch=8, micro_batch=4, lr=0.01, warmup=1, processes=processes
        )
        said = []
        train(
            job,
            settings,
            checkpoints=tmp_path / str(processes),
            identity={},
            log=lambda _, means, said=said: said.append(means["total"]),
        )
        found.append((said, {k: v.detach().clone() for k, v in job.parameters().items()}))
    (said, one), (same, two) = found
    assert said == same
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("mean", ["token", "answer", "row"])
def test_the_gradient_of_an_update_does_not_depend_on_its_micro_batches(mean, processes):
    """Among twenty rows is one long description with its masks, in one of the micro-batches."""
    model = tiny_geomag()
    config = model.profile.train.changed(ce_mean=mean, questions=2, alignment=1.0, point=0.5)
    few = {name: rows for name, rows in samples(model).items() if name != "geopixeld"}
    job = JointTraining.of_samples(model, few, config, model.profile.prompt)
    described = Mixture({"geopixeld": [description(model)]}, config, model.profile.prompt, n_seg=3)
    rows = [*job.batch(0, 19), *described.rows(0, 1)]
    parameters = list(job.parameters().values())
    found, gradient = {}, {}
    for size in (20, 10, 5, 1):

        def losses(_update, index, size=size):
            return job.losses(rows[index * size :][:size], rows)

        for parameter in parameters:
            parameter.grad = None
        with gradients(losses, parameters, n_micro=20 // size, processes=processes) as backward:
            found[size] = backward(0)
        assert all(p.grad is not None for p in parameters[:1])
        gradient[size] = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
    for size in (10, 5, 1):
        assert found[size] == pytest.approx(found[20], rel=1e-4)
        apart = (gradient[size] - gradient[20]).norm() / gradient[20].norm()
        assert apart < 1e-4, (mean, size)


def description(model):
    said = "There are <p> two ships </p> [SEG] beside <p> a dam </p> [SEG]. " * 8
    long = replace(RECORDS["geopixeld"], text=said, masks=RECORDS["geopixeld"].masks * 8)
    (sample,) = prepare(model, [((long,), plain_input(IMAGE, model.profile))])
    return sample


def test_a_parameter_without_a_gradient_keeps_none():
    used, idle = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))

    def losses(update, index):
        return {"total": (used * (update + index)).sum()}

    with gradients(losses, [used, idle], n_micro=2, processes=2) as backward:
        values = backward(3)
    assert values == {"total": 14.0}  # 2 * 3 and 2 * 4
    assert used.grad.tolist() == [7.0, 7.0]
    assert idle.grad is None


def test_a_stop_ends_the_helpers_and_a_resume_gives_the_same_bits(tmp_path):
    whole = run(Line(), tmp_path / "whole")
    with pytest.raises(Stopped):
        run(Line(), tmp_path / "parts", log=stop_after(7), log_every=1, processes=2)
    assert children() == []
    resumed = run(Line(), tmp_path / "parts", processes=2)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_killed_helper_is_told_with_its_exit_code(tmp_path):
    def kill(done, _):
        if done == 3:
            (helper,) = children()
            os.kill(helper.pid, signal.SIGKILL)

    with pytest.raises(RuntimeError, match=r"exit code -9.*run again to resume"):
        run(Line(), tmp_path, log=kill, log_every=1, processes=2)
    assert children() == []


def test_what_fails_in_a_helper_is_raised_with_its_words():
    weight = torch.nn.Parameter(torch.ones(1))

    def losses(_update, index):
        if index == 1:
            raise ValueError("no such record")
        return {"total": weight.sum()}

    with (
        pytest.raises(RuntimeError, match="no such record"),
        gradients(losses, [weight], n_micro=2, processes=2) as backward,
    ):
        backward(0)
    assert children() == []


def test_a_gpu_trains_in_one_process_and_a_cpu_on_its_idle_cores():
    assert processes_for(4, torch.device("cuda")) == 1
    cores = len(os.sched_getaffinity(0))
    threads = torch.get_num_threads()
    assert processes_for(10_000, torch.device("cpu")) == max(1, cores // threads)
    assert processes_for(1, torch.device("cpu")) == 1


def test_a_map_keeps_the_order_and_the_bits_for_any_number_of_processes():
    items = list(range(7))

    def work(item):
        return torch.full((2, 3), float(item)), f"item {item}"

    for processes in (1, 2, 3, 20):
        found = list(forked_map(work, items, processes=processes))
        assert [name for _, name in found] == [f"item {i}" for i in items]
        assert all(torch.equal(tensor, work(i)[0]) for i, (tensor, _) in enumerate(found))
    assert children() == []


def test_a_map_raises_what_the_user_can_mend_as_it_is_and_the_rest_with_its_trace():
    def work(item):
        if item == 3:
            raise ImageError("x.png", "cut short", remedy="fetch it again")
        return item

    seen = []
    with pytest.raises(ImageError, match=r"x\.png: cut short\. Remedy: fetch it again"):
        seen.extend(forked_map(work, range(5), processes=2))
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        list(forked_map(lambda item: 1 / item, [1, 0], processes=2))
    assert children() == []


def test_a_map_that_is_left_early_leaves_no_process():
    made = forked_map(lambda item: bytes(1_000_000), range(50), processes=2)
    assert len(next(made)) == 1_000_000
    made.close()
    assert children() == []
