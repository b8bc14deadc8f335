"""Images of fitted sources, and images without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.nddata import NDData
from astropy.utils.masked import Masked

from psfphot import _core
from psfphot._validate import as_image, nddata_values, split_mask, values_of
from psfphot.psf._models.convert import set_parameters
from psfphot.psf._rendering.rendering import render_model_image, rendering_box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy import units as u
    from numpy.typing import NDArray

    from psfphot._validate import Frame


@dataclass(frozen=True, kw_only=True)
class ModelImages:
    """Draws fitted sources.

    Parameters
    ----------
    core_psf : _core.Psf
        The PSF.
    psf_model : `~astropy.modeling.Model`
        What that was made of: it has the bounding box.
    parameters : (n, k) array
        The parameters of each source, in the core's order. Sources whose values
        are not finite are not drawn.
    shape_names : sequence of str
        The parameters of the shape, if each source has its own; else none.
    local_bkg : (n,) array
        The local background that was subtracted.
    unit : unit or `None`
        Of the data.
    n_threads : int or None
        See `PSFPhotometry`.
    progress_bar : bool
        See `PSFPhotometry`.
    """

    core_psf: _core.Psf
    psf_model: Any
    parameters: NDArray[np.float64]
    shape_names: Sequence[str]
    local_bkg: NDArray[np.float64]
    unit: u.UnitBase | None
    n_threads: int | None
    progress_bar: bool

    def model_image(
        self,
        shape: Any,
        *,
        psf_shape: Any,
        include_local_bkg: bool,
    ) -> Any:
        """Render the sources, see `PSFPhotometry.make_model_image`."""
        flux, x, y, shapes = self._columns()
        background = None
        if include_local_bkg:
            # What was not subtracted for not being finite is not added either.
            is_finite = np.isfinite(self.local_bkg)
            background = np.where(is_finite, self.local_bkg, 0.0)
        image = render_model_image(
            shape,
            self.core_psf,
            x,
            y,
            flux,
            box_shape=self._boxes(psf_shape),
            local_bkg=background,
            psf_shapes=shapes,
            progress_bar=self.progress_bar,
            n_threads=self.n_threads,
        )
        return image if self.unit is None else image << self.unit

    def positions(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Tell x and y of each source, pixels."""
        _, x, y, _ = self._columns()
        return x, y

    def profiles(self, frame: Frame, model: Any, fit_shape: tuple[int, int]) -> Any:
        """Tell crowding, sharpness and chi of each source.

        Parameters
        ----------
        frame : Frame
            The image without the sources, with its errors.
        model : (ny, nx) array
            The image of all sources.
        fit_shape : (ny, nx)
            The box of each that is looked at.
        """
        data, error, mask = frame.arrays
        flux, x, y, shapes = self._columns()
        return _core.profile_sources(
            data,
            error,
            mask,
            np.ascontiguousarray(values_of(model)),
            self.core_psf,
            x,
            y,
            flux,
            fit_shape=fit_shape,
            psf_shapes=shapes,
            n_threads=self.n_threads,
        )

    def _columns(self) -> tuple[Any, Any, Any, Any]:
        """Make flux, x, y and the shapes, if the model has any, for the core."""
        flux, x, y = (np.ascontiguousarray(self.parameters[:, k]) for k in range(3))
        shapes = np.ascontiguousarray(self.parameters[:, 3:])
        return flux, x, y, shapes if shapes.size else None

    def _boxes(self, psf_shape: Any) -> tuple[int, int] | NDArray[np.int64]:
        """Find the size of each source's box, that of its own shape, or one for all."""
        if psf_shape is not None or not self.shape_names:
            return rendering_box(self.psf_model, psf_shape)
        shapes, which = np.unique(
            self.parameters[:, 3:], axis=0, return_inverse=True, equal_nan=False
        )
        model = self.psf_model.copy()
        boxes = np.ones((len(shapes), 2), dtype=np.int64)
        for box, shape in zip(boxes, shapes, strict=True):
            if np.isfinite(shape).all():
                set_parameters(model, self.shape_names, shape)
                box[:] = rendering_box(model)
        # numpy 2.0 gives the inverse another shape.
        return boxes[which.reshape(len(self.parameters))]

    def residual_image(self, data: Any, **options: Any) -> Any:
        """Subtract the sources, see `PSFPhotometry.make_residual_image`.

        The options are those of `model_image`.
        """
        if isinstance(data, NDData):
            residual = self.residual_image(nddata_values(data), **options)
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
        if (unit is None) != (self.unit is None):
            msg = (
                f"data must have the unit of the fitted data ({self.unit}), got {unit}"
            )
            raise ValueError(msg)
        model = self.model_image(values.shape, **options)
        residual = getattr(model, "value", model)
        if self.unit is not None and unit != self.unit:
            residual *= self.unit.to(unit)
        # In the model's place: images can be as large as the memory.
        np.subtract(values, residual, out=residual)
        residual = residual if unit is None else residual << unit
        return residual if mask is None else Masked(residual, mask=mask)
