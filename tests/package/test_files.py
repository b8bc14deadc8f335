"""Files are made beside others, replaced and refused with care."""

import gzip
import io
import os
import signal
import stat
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from cli_field import run, write_field

from psfphot import _files
from psfphot.io import (
    FileFormatError,
    check_writable,
    read_image,
    read_psf,
    read_sources,
    replacing,
    write_catalog,
)
from psfphot.psf import GriddedPSFModel

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")
CATALOG = QTable({"id": [1], "flags": [0]})


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_nobody_can_guess_where_a_file_is_made(tmp_path):
    places = set()
    for _ in range(3):
        with replacing(tmp_path / "c.ecsv") as part:
            assert part.suffix == ".ecsv"
            assert part.parent.parent == tmp_path
            if os.name == "posix":
                assert stat.S_IMODE(part.parent.stat().st_mode) == 0o700
            part.write_text("x")
            places.add(part.parent)
    assert len(places) == 3
    assert names(tmp_path) == ["c.ecsv"]


@POSIX
def test_a_planted_link_leads_nowhere(tmp_path):
    victim = tmp_path / "victim.txt"
    victim.write_text("victim")
    # The name of former versions.
    (tmp_path / f".{os.getpid()}-c.ecsv").symlink_to(victim)
    check_writable(tmp_path / "c.ecsv", [".ecsv"])
    write_catalog(tmp_path / "c.ecsv", CATALOG)
    assert victim.read_text() == "victim"
    assert not (tmp_path / "c.ecsv").is_symlink()


def test_a_fault_leaves_what_was_there(tmp_path):
    path = tmp_path / "c.txt"
    path.write_text("old")

    def stop_halfway():
        with replacing(path) as part:
            part.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        stop_halfway()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["c.txt"]


@POSIX
@pytest.mark.parametrize("mode", [0o640, 0o600, 0o664])
def test_a_replaced_file_leaves_its_mode(tmp_path, mode):
    path = tmp_path / "c.ecsv"
    path.write_text("old")
    path.chmod(mode)
    write_catalog(path, CATALOG)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert len(QTable.read(path)) == 1


@POSIX
def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "real.ecsv"
    target.write_text("old")
    link = tmp_path / "c.ecsv"
    link.symlink_to(target)
    with pytest.raises(FileExistsError, match="exists already"):
        check_writable(link, [".ecsv"])
    check_writable(link, [".ecsv"], overwrite=True)
    write_catalog(link, CATALOG)
    assert link.is_symlink()
    assert len(QTable.read(target)) == 1
    dangling = tmp_path / "d.ecsv"
    dangling.symlink_to(tmp_path / "nowhere.ecsv")
    for call in (
        lambda: check_writable(dangling, [".ecsv"], overwrite=True),
        lambda: write_catalog(dangling, CATALOG),
    ):
        with pytest.raises(FileNotFoundError, match=r"d.ecsv: is a link that leads no"):
            call()


@POSIX
def test_pipes_and_devices_are_refused(tmp_path):
    pipe = tmp_path / "pipe.fits"
    os.mkfifo(pipe)
    calls = [
        lambda: read_image(pipe),
        lambda: read_psf(pipe),
        lambda: read_sources(pipe),
        lambda: GriddedPSFModel.read(str(pipe), format="stpsf"),
        lambda: GriddedPSFModel.read(pipe),
        lambda: check_writable(pipe, [".fits"], overwrite=True),
        lambda: write_catalog(pipe, CATALOG),
        lambda: read_image("/dev/zero"),
    ]
    for call in calls:
        with pytest.raises(OSError, match=r"pipe or a device|no regular file"):
            call()
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@POSIX
def test_a_full_disk_names_the_file(tmp_path):
    # A limit of the size of files is as full as a disk that a test can have.
    code = f"""
    import resource, sys
    from pathlib import Path
    import numpy as np
    from astropy.table import QTable
    from psfphot.io import write_catalog
    table = QTable({{"id": np.arange(10_000), "flags": np.zeros(10_000, int)}})
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    for name in ("c.ecsv", "c.fits", "c.csv"):
        try:
            write_catalog(Path({str(tmp_path)!r}) / name, table)
        except OSError as exc:
            print(name in str(exc))
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
    )
    assert result.stdout.split() == ["True"] * 3, result.stderr
    assert names(tmp_path) == []


def test_words_of_a_library_get_the_file_too(tmp_path):
    def fail():
        with replacing(tmp_path / "c.fits"):
            msg = "Not enough space on disk"
            raise OSError(msg)

    with pytest.raises(OSError, match=r"c.fits: Not enough space"):
        fail()


def bomb(card_values):
    """A compressed image that says it is larger than it is."""
    file = io.BytesIO()
    fits.PrimaryHDU(np.zeros((4, 8, 8), np.float32)).writeto(file)
    content = file.getvalue()
    header = fits.getheader(io.BytesIO(content))
    for key, value in card_values.items():
        old = f"{key:<8}= {header[key]:>20}".encode()
        assert old in content
        content = content.replace(old, f"{key:<8}= {value:>20}".encode())
    return content


def test_what_no_memory_holds_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "b.fits.gz"
    path.write_bytes(gzip.compress(bomb({"NAXIS1": 10**7, "NAXIS2": 10**7})))
    for call in (lambda: read_image(path, "0[0]"), lambda: read_psf(f"{path}[0][0]")):
        with pytest.raises(FileFormatError, match=r"b.fits.gz.* GB of memory of this"):
            call()
    # Of a file object all is unpacked.
    monkeypatch.setattr(_files, "memory_bytes", lambda: 10_000)
    packed = io.BytesIO(gzip.compress(bytes(100_000)))
    with pytest.raises(ValueError, match=r"BytesIO.* more than the 1e-05 GB of memory"):
        GriddedPSFModel.read(packed, format="stpsf")


def test_one_bad_output_does_not_end_the_batch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        write_field(tmp_path / f"{name}.fits")
    (tmp_path / "b.ecsv").write_text("precious")
    (tmp_path / "a.reg").mkdir()
    words = ["--psf", "gaussian:2.5", "-o", "{name}.ecsv", "--region", "{name}.reg"]
    result = run("fit", "a.fits", "b.fits", "c.fits", *words, "-q")
    assert result.exit_code == 1
    lines = sorted(result.stderr.splitlines())
    assert len(lines) == 2, result.stderr
    assert "a.reg: is a directory" in lines[0]
    assert "b.ecsv: exists already" in lines[1]
    assert (tmp_path / "b.ecsv").read_text() == "precious"
    assert len(QTable.read("c.ecsv")) == 9
    # One image alone still fails before the work.
    result = run("fit", "b.fits", *words)
    assert result.exit_code == 1
    assert "add --overwrite" in result.stderr
