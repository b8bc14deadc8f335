"""A page to look at: what a measurement did and what it found; needs bokeh."""

from psfphot.report._page import make_report, write_report

__all__ = ["make_report", "write_report"]
