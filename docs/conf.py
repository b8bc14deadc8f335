"""The site: `make site` builds it into `docs/_build/html`."""

import importlib
import os
import pkgutil

import psfphot

project = "psfphot"
author = "The psfphot developers"
copyright = author  # noqa: A001
version = release = psfphot.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "images"]
default_role = "obj"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
# The tutorial is run anew by every build: its pictures are those of this version.
nb_execution_mode = os.environ.get("PSFPHOT_DOCS_EXECUTE", "force")
nb_execution_timeout = 600
nb_execution_raise_on_error = True

templates_path = ["_templates"]
autosummary_generate = True
autosummary_imported_members = True
autosummary_ignore_module_all = False
# What is public: the names of each sub-package's `__all__`.
_PACKAGES = [
    importlib.import_module(f"psfphot.{found.name}")
    for found in pkgutil.iter_modules(psfphot.__path__)
    if found.ispkg and not found.name.startswith("_")
]
autosummary_context = {
    "all_names": {
        package.__name__: getattr(package, "__all__", ()) for package in _PACKAGES
    }
}
autodoc_typehints = "none"  # numpydoc's sections tell the types
autodoc_inherit_docstrings = True
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# `PSFPHOT_DOCS_OFFLINE=1` builds without a network, with no links to these.
intersphinx_mapping = (
    {}
    if os.environ.get("PSFPHOT_DOCS_OFFLINE")
    else {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "astropy": ("https://docs.astropy.org/en/stable", None),
        "photutils": ("https://photutils.readthedocs.io/en/stable", None),
    }
)

html_theme = "pydata_sphinx_theme"
html_title = "psfphot"
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "show_prev_next": True,
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
}
html_static_path = []
