"""``python -m psfphot`` is the command."""

import runpy
import sys

import pytest

import psfphot


def test_python_m_psfphot_is_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["psfphot", "--version"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("psfphot", run_name="__main__")
    assert stopped.value.code == 0
    assert psfphot.__version__ in capsys.readouterr().out
