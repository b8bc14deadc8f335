"""Every column and key that results have is in the registry, and in the docs."""

from pathlib import Path

import numpy as np
import pytest

from psfphot import _core
from psfphot._output import COLUMNS, META, markdown_table
from psfphot.detection import MatchedFilterFinder
from psfphot.pipeline import Settings, measure, simulate_star_field
from psfphot.psf import (
    CircularGaussianPRF,
    IterativePSFPhotometry,
    OverlapGrouper,
    PSFPhotometry,
)

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "output.md"
PSF = CircularGaussianPRF(fwhm=2.5)


@pytest.fixture(scope="module")
def field():
    return simulate_star_field(PSF, 128, 40, seed=1)[0]


def known(names, entries, shape=()):
    listed = {entry.name for entry in entries}
    for parameter in shape:
        listed |= {name.replace("{shape}", parameter) for name in listed}
    return set(names) <= listed


def test_the_page_has_the_tables_of_the_code():
    page = PAGE.read_text(encoding="utf-8")
    for entries in (COLUMNS, META):
        assert len({entry.name for entry in entries}) == len(entries)
        assert markdown_table(entries) in page
    for bit, name, meaning in _core.flag_definitions():
        assert f"| {bit} | `{name}` | {meaning} |" in page


def test_columns_of_a_catalogue_are_listed_and_described(field):
    settings = Settings(zero_point=25.0, extra_columns=True)
    catalog = measure(field, PSF, settings).catalog
    assert known(catalog.colnames, COLUMNS)
    assert all(column.info.description for column in catalog.itercols())
    settings_of_the_class = {*PSFPhotometry(PSF, 5).settings()}
    assert known({*catalog.meta} - settings_of_the_class, META)


def test_columns_of_the_classes_are_listed(field):
    data = field.data - np.median(field.data)
    finder = MatchedFilterFinder(PSF, 5)
    common = {"finder": finder, "grouper": OverlapGrouper(), "aperture_radius": 3}
    for photometry in (
        PSFPhotometry(PSF, 5, **common),
        IterativePSFPhotometry(PSF, 5, mode="all", extra_columns=True, **common),
    ):
        table = photometry(data, error=field.error)
        assert known(table.colnames, COLUMNS)
    free = PSF.copy()
    free.fwhm.fixed = False
    table = PSFPhotometry(free, 7, **common)(data, error=field.error)
    assert "fwhm_err" in table.colnames
    assert known(table.colnames, COLUMNS, ["fwhm"])


def test_the_docstring_tells_the_columns():
    text = PSFPhotometry.__doc__
    assert "{columns}" not in text
    for entry in COLUMNS:
        if entry.when == "always":
            assert f"``{entry.name}``" in text
