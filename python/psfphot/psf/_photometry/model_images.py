"""Images of fitted sources, and images without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.nddata import NDData
from astropy.utils.masked import Masked

from psfphot._validate import as_image, nddata_values, split_mask, values_of
from psfphot.psf._rendering.rendering import render_model_image, rendering_box

if TYPE_CHECKING:
    from astropy import units as u
    from numpy.typing import NDArray

    from psfphot import _core


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
    local_bkg : (n,) array
        The local background that was subtracted.
    unit : unit or `None`
        Of the data.
    """

    core_psf: _core.Psf
    psf_model: Any
    parameters: NDArray[np.float64]
    local_bkg: NDArray[np.float64]
    unit: u.UnitBase | None

    def model_image(
        self,
        shape: Any,
        *,
        psf_shape: Any,
        include_local_bkg: bool,
        n_threads: int | None,
        progress_bar: bool,
    ) -> Any:
        """Render the sources, see `PSFPhotometry.make_model_image`."""
        flux, x, y = (np.ascontiguousarray(self.parameters[:, k]) for k in range(3))
        shapes = np.ascontiguousarray(self.parameters[:, 3:])
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
            box_shape=rendering_box(self.psf_model, psf_shape),
            local_bkg=background,
            psf_shapes=shapes if shapes.size else None,
            progress_bar=progress_bar,
            n_threads=n_threads,
        )
        return image if self.unit is None else image << self.unit

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
