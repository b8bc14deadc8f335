"""Images of fitted sources, and images without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.nddata import NDData
from astropy.utils.masked import Masked

from psfphot._deprecated import old_arguments
from psfphot._validate import as_image, nddata_values, split_mask, values_of
from psfphot.psf._rendering.rendering import render_model_image, rendering_box

if TYPE_CHECKING:
    from astropy import units as u
    from astropy.table import QTable

    from psfphot.psf._photometry.fit_results import Run

_OLD_ARGUMENTS = {"include_localbkg": "include_local_bkg"}

NO_RESULTS = "No results available. Please run the PSFPhotometry instance first."


class ModelImages:
    """The methods of photometry that render its results."""

    psf_model: Any
    results: QTable | None
    data_unit: u.UnitBase | None
    n_threads: int | None
    progress_bar: bool
    _run: Run | None

    @old_arguments(renamed=_OLD_ARGUMENTS)
    def make_model_image(
        self, shape: Any, *, psf_shape: Any = None, include_local_bkg: bool = False
    ) -> Any:
        """Render the fitted sources.

        Parameters
        ----------
        shape : (ny, nx)
            The image's shape.
        psf_shape : int or (ny, nx), optional
            The box in which each source is rendered; the model's bounding box
            by default.
        include_local_bkg : bool, optional
            Whether to add each source's local background over its box (where
            boxes overlap, backgrounds add up).

        Returns
        -------
        (ny, nx) array or `~astropy.units.Quantity`
            The image, in the unit of the data. Sources that could not be
            fitted are not in it.

        Raises
        ------
        ValueError
            If there are no results yet, or the model has no bounding box and
            ``psf_shape`` is not given.
        """
        if self.results is None or self._run is None:
            raise ValueError(NO_RESULTS)
        table = self.results
        shapes = np.ascontiguousarray(self._run.fit["parameters"][:, 3:])
        background = None
        if include_local_bkg:
            # What was not subtracted for not being finite is not added either.
            level = values_of(table["local_bkg"])
            background = np.where(np.isfinite(level), level, 0.0)
        image = render_model_image(
            shape,
            self._run.setup.core_psf,
            np.ascontiguousarray(table["x_fit"]),
            np.ascontiguousarray(table["y_fit"]),
            values_of(table["flux_fit"]),
            box_shape=rendering_box(self.psf_model, psf_shape),
            local_bkg=background,
            psf_shapes=shapes if shapes.size else None,
            progress_bar=self.progress_bar,
            n_threads=self.n_threads,
        )
        return image if self.data_unit is None else image << self.data_unit

    @old_arguments(renamed=_OLD_ARGUMENTS)
    def make_residual_image(
        self, data: Any, *, psf_shape: Any = None, include_local_bkg: bool = False
    ) -> Any:
        """Subtract the fitted sources from an image.

        Parameters
        ----------
        data : (ny, nx) array_like or `~astropy.nddata.NDData`
            The image.
        psf_shape, include_local_bkg
            See `make_model_image`.

        Returns
        -------
        The same kind as ``data``; that of masked data is
        `~astropy.utils.masked.Masked`.

        Raises
        ------
        ValueError
            See `make_model_image`; or if units do not go together.
        """
        if isinstance(data, NDData):
            residual = self.make_residual_image(
                nddata_values(data),
                psf_shape=psf_shape,
                include_local_bkg=include_local_bkg,
            )
            return data.__class__(
                values_of(residual),
                unit=data.unit,
                mask=data.mask,
                wcs=data.wcs,
                meta=data.meta,
                uncertainty=data.uncertainty,
            )
        data, mask = split_mask(data)
        values = as_image(data)
        unit = getattr(data, "unit", None)
        if (unit is None) != (self.data_unit is None) and self.results is not None:
            msg = (
                f"data must have the unit of the fitted data ({self.data_unit}), "
                f"got {unit}"
            )
            raise ValueError(msg)
        model = self.make_model_image(
            values.shape, psf_shape=psf_shape, include_local_bkg=include_local_bkg
        )
        residual = (values if unit is None else values << unit) - model
        return residual if mask is None else Masked(residual, mask=mask)
