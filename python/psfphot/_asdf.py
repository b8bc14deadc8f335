"""PSF models in ASDF files: what asdf finds by our entry point.

asdf loads this when it is first used, so it imports models when one is converted
only. The nodes have the names that photutils' have; its files are read as our
models where photutils is not installed, which else reads them itself.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_OURS = "asdf://psfphot/psf/tags/"
_PHOTUTILS = "tag:astropy.org:photutils/psf/"
_VERSION = "-1.0.0"

#: What a model has beyond its parameters, name and meta. asdf knows classes by
#: their modules.
_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "airy.AiryDiskPRF": ("bbox_factor", "n_nodes"),
    "airy.AiryDiskPSF": ("bbox_factor",),
    "elliptical.GaussianPRF": ("bbox_factor",),
    "elliptical.GaussianPSF": ("bbox_factor",),
    "gaussian.CircularGaussianPRF": ("bbox_factor",),
    "gaussian.CircularGaussianPSF": ("bbox_factor",),
    "gaussian.CircularGaussianSigmaPRF": ("bbox_factor",),
    "gridded.GriddedPSFModel": ("data", "grid_xypos", "oversampling", "fill_value"),
    "image.ImagePSF": ("data", "origin", "oversampling", "fill_value"),
    "moffat.MoffatPRF": ("bbox_factor", "n_nodes"),
    "moffat.MoffatPSF": ("bbox_factor",),
    "polynomial.PolynomialPSFModel": (
        "data",
        "center",
        "scale",
        "origin",
        "oversampling",
        "fill_value",
    ),
}

#: Attributes that are arrays; in a file those are read when they are asked for.
_ARRAYS = frozenset({"data", "grid_xypos", "center", "scale", "origin", "oversampling"})


class PSFConverter:
    """What writes and reads one class of PSF models.

    Parameters
    ----------
    place : str
        The class, after the module of ``psfphot.psf._models`` that it is of.
    prefix : str
        What its tags begin with.
    spelled : callable
        Makes the tag's word of the class's name.
    writes : bool
        Whether it writes our models, and does not only read.
    """

    # asdf looks for these at the class.
    lazy = False
    tags: Sequence[str] = ()
    types: Sequence[str] = ()

    def __init__(
        self,
        place: str,
        prefix: str = _OURS,
        spelled: Callable[[str], str] = str,
        *,
        writes: bool = True,
    ) -> None:
        self._name = place.partition(".")[2]
        self._attributes = _ATTRIBUTES[place]
        self.tags = (f"{prefix}{spelled(self._name)}{_VERSION}",)
        self.types = (f"psfphot.psf._models.{place}",) if writes else ()

    def select_tag(self, model: Any, tags: Sequence[str], ctx: Any) -> str:
        """Choose the tag of a model: there is one."""
        del model, ctx
        return tags[0]

    def to_yaml_tree(self, model: Any, tag: str, ctx: Any) -> dict[str, Any]:
        """Make a node of a model.

        Raises
        ------
        ValueError
            If a parameter is tied, which is a function and cannot be written.
        """
        del tag, ctx
        tied = [name for name in model.param_names if model.tied[name]]
        if tied:
            msg = f"tied parameters cannot be written, got tied {', '.join(tied)}"
            raise ValueError(msg)
        node = {name: _written(getattr(model, name)) for name in model.param_names}
        node |= {name: getattr(model, name) for name in self._attributes}
        node["fixed"] = {name: bool(model.fixed[name]) for name in model.param_names}
        node["bounds"] = {
            name: [None if one is None else float(one) for one in model.bounds[name]]
            for name in model.param_names
        }
        if model.name is not None:
            node["name"] = model.name
        stored = {"grid_xypos", "oversampling"} & set(self._attributes)
        meta = {key: value for key, value in model.meta.items() if key not in stored}
        if meta:
            node["meta"] = meta
        return node

    def from_yaml_tree(self, node: Any, tag: str, ctx: Any) -> Any:
        """Make a model of a node."""
        del tag, ctx
        from psfphot import psf  # noqa: PLC0415  (other users of asdf need none)

        kind = getattr(psf, self._name)
        words = {n: _read(node[n]) for n in kind.param_names if n in node}
        for name in self._attributes:
            if name in node:
                value = node[name]
                # Not a view: the file may be closed later.
                words[name] = np.array(value) if name in _ARRAYS else value
        meta = {key: _as_tuple(value) for key, value in node.get("meta", {}).items()}
        if self._name == "GriddedPSFModel":
            model = _grid(kind, words, meta)
        else:
            model = kind(**words, meta=meta)
        model.name = node.get("name")
        for name in kind.param_names:
            parameter = getattr(model, name)
            parameter.fixed = node.get("fixed", {}).get(name, parameter.fixed)
            bounds = node.get("bounds", {}).get(name, parameter.bounds)
            parameter.bounds = tuple(bounds)
        return model


class PSFExtension:
    """What asdf calls an extension: converters and their tags.

    Parameters
    ----------
    extension_uri : str
        Its name.
    converters : list of `PSFConverter`
        Those.
    """

    # asdf looks for it at the class.
    extension_uri = ""

    def __init__(self, extension_uri: str, converters: list[PSFConverter]) -> None:
        self.extension_uri = extension_uri
        self.converters = converters
        self.tags = [tag for converter in converters for tag in converter.tags]


def get_extensions() -> list[PSFExtension]:
    """Make the extensions; asdf calls this.

    Returns
    -------
    extensions : list of `PSFExtension`
    """
    ours = [PSFConverter(place) for place in _ATTRIBUTES]
    extensions = [PSFExtension("asdf://psfphot/psf/extensions/models-1.0.0", ours)]
    if find_spec("photutils") is None:
        theirs = [
            PSFConverter(place, _PHOTUTILS, _snake_case, writes=False)
            for place in _ATTRIBUTES
            if not place.startswith("polynomial.")
        ]
        uri = "asdf://psfphot/psf/extensions/photutils-1.0.0"
        extensions.append(PSFExtension(uri, theirs))
    return extensions


def _grid(kind: Any, words: dict[str, Any], meta: dict[str, Any]) -> Any:
    from astropy.nddata import NDData  # noqa: PLC0415  (as above)

    meta |= {key: words.pop(key) for key in ("grid_xypos", "oversampling")}
    return kind(NDData(words.pop("data"), meta=meta), **words)


def _written(parameter: Any) -> Any:
    """Make a number or list of a parameter, with its unit beside where it has one."""
    value = np.asarray(parameter.value).tolist()
    if parameter.unit is None:
        return value
    return {"value": value, "unit": parameter.unit.to_string()}


def _read(stored: Any) -> Any:
    """Make what a model takes for a parameter of what `_written` makes.

    photutils' files have a Quantity, which asdf-astropy has read, for a unit.
    """
    if hasattr(stored, "keys"):
        from astropy import units as u  # noqa: PLC0415  (as above)

        return u.Quantity(stored["value"], stored["unit"])
    if hasattr(stored, "unit") or isinstance(stored, int | float):
        return stored
    return np.array(stored, dtype=float)


def _as_tuple(value: Any) -> Any:
    """Make a header's (value, comment) of the list that files have for it."""
    return tuple(value) if isinstance(value, list) else value


def _snake_case(name: str) -> str:
    """Spell a class's name as photutils' tags do: ``ImagePSF`` is ``image_psf``."""
    words: list[str] = []
    for i, letter in enumerate(name):
        before, after = name[i - 1 : i], name[i + 1 : i + 2]
        begins = letter.isupper() and (before.islower() or (after and after.islower()))
        words.append(f"_{letter}" if begins and i else letter)
    return "".join(words).lower()
