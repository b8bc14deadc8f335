"""What workers cost beyond the fit: for each task, and for the first star of a PSF.

Tasks: wall and CPU time (of all processes) for each of 200 that return a catalogue of
500 rows, in processes and, where Dask is installed, on a LocalCluster of two workers,
beside the same in this process. Stars: the time until a star of a grid of 16 PSFs of
204 x 204 is evaluated, for the first task of a worker and the later ones.
Usage: python benches/python/many_frames.py
"""

import os
import statistics
import time

import numpy as np
from _tasks import Evaluate, Give
from _timing import print_machine
from astropy.nddata import NDData

from psfphot._workers import run_tasks
from psfphot.pipeline import Settings, measure, simulate_star_field
from psfphot.psf import CircularGaussianPRF, GriddedPSFModel

N_TASKS = 200


def seconds_a_task(work, **how):
    """Time tasks once the workers are there: wall time, and CPU time of all."""
    wall, cpu, of_workers = [], [], {}
    for one in run_tasks(work, [f"{i}.fits" for i in range(N_TASKS)], **how):
        wall.append(time.perf_counter())
        cpu.append(time.process_time())
        _, process, spent = one.value
        of_workers.setdefault(process, []).append(spent)
    of_workers.pop(os.getpid(), None)
    spent = sum(times[-1] - times[0] for times in of_workers.values())
    return (wall[-1] - wall[10]) / (N_TASKS - 11), (spent + cpu[-1] - cpu[0]) / N_TASKS


def report(name, work, stars, **how):
    wall, cpu = seconds_a_task(work, **how)
    evaluated = [one.value for one in run_tasks(stars, list(range(40)), **how)]
    later = statistics.median(evaluated[4:])
    print(
        f"{name:<12} {1e3 * wall:6.2f} ms a task, CPU {1e3 * cpu:5.2f}; first star "
        f"{1e3 * evaluated[0]:6.1f} ms, later {1e3 * later:6.3f} ms"
    )


def make_grid():
    rng = np.random.default_rng(1)
    yy, xx = (np.mgrid[:204, :204] - 101.5) / 8
    core = np.exp(-(xx**2 + yy**2) / 2)
    data = core * rng.uniform(0.98, 1.02, (16, 1, 1))
    places = [(x, y) for y in (0, 700, 1400, 2047) for x in (0, 700, 1400, 2047)]
    meta = {"grid_xypos": places, "oversampling": 8}
    return GriddedPSFModel(NDData(data, meta=meta), x_0=1000, y_0=1000)


def main():
    print_machine("many frames")
    psf = CircularGaussianPRF(fwhm=2.5)
    image, _ = simulate_star_field(psf, 400, 900, seed=1)
    catalog = measure(image, psf, Settings(iterations=1)).catalog
    print(f"{len(catalog)} rows")
    work, stars = Give(catalog), Evaluate(make_grid())
    report("here", work, stars)
    report("1 process", work, stars, n_workers=1)
    report("2 processes", work, stars, n_workers=2)
    try:
        from distributed import Client, LocalCluster  # noqa: PLC0415  (an extra)
    except ImportError:
        return
    with (
        LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        report("2 of Dask", work, stars, client=client)


if __name__ == "__main__":
    main()
