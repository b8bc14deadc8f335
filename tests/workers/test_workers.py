"""Tasks here, in processes and on a cluster: each is done once, whatever happens."""

import errno
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from worker_tasks import DieOnce, Evaluate, Square, StallOnce, fail, sleep, unfit

from psfphot._workers import run_tasks
from psfphot.psf import GriddedPSFModel

HERE, PROCESSES = {}, {"n_workers": 2}


def outcomes(work, tasks, **how):
    done = list(run_tasks(work, tasks, **how))
    assert sorted(one.index for one in done) == list(range(len(tasks)))
    return sorted(done, key=lambda one: one.index)


@pytest.mark.parametrize("how", [HERE, PROCESSES])
def test_each_task_is_done_once(how):
    done = outcomes(Square(), range(20), **how)
    assert [one.value[0] for one in done] == [i**2 for i in range(20)]
    assert {one.tries for one in done} == {1}
    # A worker has the work once: one object does all of its tasks.
    objects = {one.value[1:3] for one in done}
    assert len({process for process, _ in objects}) == len(objects) <= 2
    assert sum(1 for one in done if one.value[3] == 1) == len(objects)


def test_a_worker_is_there_without_astropy():
    # Importing it takes twenty times as long as all else that a worker begins with.
    said = "import sys, psfphot._workers.child; print('astropy' in sys.modules)"
    words = [sys.executable, "-c", said]
    run = subprocess.run(words, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize("how", [HERE, PROCESSES])
def test_what_fails_is_said_and_not_tried_again(how):
    done = outcomes(fail, range(8), **how)
    assert [one.value for one in done] == [None, 1, 2, 3, None, 5, 6, 7]
    assert done[4].error == "ValueError: 4 is no good"
    assert "Traceback" in done[4].traceback
    assert done[4].tries == 1


@pytest.mark.parametrize("how", [HERE, PROCESSES])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOENT])
def test_only_what_may_pass_is_tried_again(tmp_path, how, number):
    (one,) = outcomes(StallOnce(tmp_path, number), [0], **how)
    passes = number == errno.EIO
    assert one.tries == (2 if passes else 1)
    assert one.value == (2 if passes else None)


def test_killed_workers_lose_no_task(tmp_path):
    done = outcomes(DieOnce(tmp_path, at=(2, 3, 7)), range(12), **PROCESSES)
    assert [one.value for one in done] == list(range(12))
    assert [one.index for one in done if one.tries > 1] == [2, 3, 7]


def test_a_task_that_kills_each_worker_is_given_up(tmp_path):
    work = DieOnce(tmp_path, at=(), always=(1,))
    done = outcomes(work, range(4), retries=1, **PROCESSES)
    assert [one.value for one in done] == [0, None, 2, 3]
    assert done[1].error == "its worker was ended by SIGKILL, 2 times"
    assert done[1].tries == 2


def test_a_task_that_takes_too_long_is_given_up():
    done = outcomes(sleep, [0.0, 60.0, 0.0, 0.0], timeout=1.0, **PROCESSES)
    assert [one.value for one in done] == [0, None, 0, 0]
    assert done[1].error == "took longer than 1 s"
    assert done[1].tries == 1


def test_a_result_that_cannot_be_sent():
    done = outcomes(unfit, range(3), **PROCESSES)
    assert [one.value for one in done] == [0, None, 2]
    assert done[1].error.startswith("what came of it cannot be sent: ")


def test_work_that_cannot_be_loaded(monkeypatch):
    # The process does not find the module.
    monkeypatch.setattr(sys, "path", [p for p in sys.path if "workers" not in p])
    with pytest.raises(RuntimeError, match="cannot load the work: ModuleNotFound"):
        list(run_tasks(fail, [1], **PROCESSES))


def test_a_script_without_a_guard_is_not_run_again(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import math\n"
        "from psfphot._workers import run_tasks\n"
        "print('top level')\n"
        "done = run_tasks(math.sqrt, [4.0, 9.0], n_workers=2)\n"
        "print(sorted(one.value for one in done))\n"
    )
    words = [sys.executable, str(script)]
    run = subprocess.run(words, capture_output=True, text=True, check=True)
    assert run.stdout == "top level\n[2.0, 3.0]\n"
    assert run.stderr == ""


def test_workers_end_with_the_loop():
    running = run_tasks(Square(), range(1000), **PROCESSES)
    first = next(running)
    running.close()
    # The process is gone: no signal reaches it.
    with pytest.raises(ProcessLookupError):
        sys.modules["os"].kill(first.value[1], 0)


def test_a_worker_computes_the_splines_of_a_psf_once():
    data = Path(__file__).parents[1] / "data" / "grid_3x3_samp4.fits"
    model = GriddedPSFModel.read(data)
    done = outcomes(Evaluate(model), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], **PROCESSES)
    values = [one.value[0] for one in done]
    assert values[1:] == [pytest.approx(values[0] * n) for n in (2, 3, 4, 5, 6)]
    # In a process all copies evaluate one compiled PSF.
    compiled = {one.value[1:] for one in done}
    assert len({process for process, _ in compiled}) == len(compiled) <= 2


def test_a_cluster(cluster, tmp_path):
    done = outcomes(Square(), range(30), client=cluster)
    assert [one.value[0] for one in done] == [i**2 for i in range(30)]
    assert len({one.value[1:3] for one in done}) <= 2
    done = outcomes(fail, range(8), client=cluster)
    assert done[4].error == "ValueError: 4 is no good"
    done = outcomes(StallOnce(tmp_path, errno.EIO), [0, 1], client=cluster)
    assert [one.tries for one in done] == [2, 2]


def test_a_cluster_whose_workers_are_killed(cluster, tmp_path):
    done = outcomes(DieOnce(tmp_path, at=(3,)), range(12), client=cluster)
    assert [one.value for one in done] == list(range(12))


@pytest.mark.long
def test_a_task_that_kills_each_worker_of_a_cluster_is_given_up_alone(
    cluster, tmp_path
):
    # By then many tasks go out together.
    tasks = range(400)
    done = outcomes(DieOnce(tmp_path, at=(), always=(200,)), tasks, client=cluster)
    assert done[200].error == "its workers ended, one after another"
    assert [one.value for one in done if one.index != 200] == [
        n for n in tasks if n != 200
    ]


def test_short_tasks_go_to_a_cluster_together(cluster, monkeypatch):
    sizes = []
    submit = cluster.submit

    def count(function, name, tasks, *arguments, **options):
        sizes.append(len(pickle.loads(tasks)))  # noqa: S301
        return submit(function, name, tasks, *arguments, **options)

    monkeypatch.setattr(cluster, "submit", count)
    outcomes(sleep, [0.0] * 300, client=cluster)
    assert sizes[0] == 1
    assert 4 < max(sizes) < 40
    assert len(sizes) < 100
    # Long ones go singly, and what is in a worker's hands is little.
    sizes.clear()
    outcomes(sleep, [0.3] * 20, client=cluster)
    assert set(sizes) == {1}


def test_what_is_not_done_in_time_goes_out_again(cluster):
    # They are short until those come that are not.
    done = outcomes(sleep, [0.0] * 100 + [0.3] * 12, client=cluster)
    assert [one.value for one in done] == [0.0] * 100 + [0.3] * 12
    assert {one.tries for one in done} == {1}


def test_a_cluster_with_a_task_that_takes_too_long(cluster):
    many = [0.0] * 100
    done = outcomes(sleep, [*many, 60.0, *many], client=cluster, timeout=1.0)
    assert [one.value for one in done] == [*many, None, *many]
    assert done[100].error == "took longer than 1 s"
