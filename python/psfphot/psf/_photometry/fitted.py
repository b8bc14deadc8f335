"""What can be asked of photometry that is done: tables, flags, images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psfphot._deprecated import by_keyword, old_arguments

if TYPE_CHECKING:
    from astropy.table import QTable

    from psfphot.psf._photometry.covariance import GroupCovariance
    from psfphot.psf._photometry.fit_results import FitResult

_OLD_ARGUMENTS = {"include_localbkg": "include_local_bkg"}


class FittedSources:
    """The methods of a class of photometry that look at its last call.

    Such a class keeps the result of its last call.
    """

    _fit_result: FitResult | None

    def last_fit(self) -> FitResult:
        """Give the result of the last call.

        Raises
        ------
        ValueError
            If there is none yet.
        """
        if self._fit_result is None:
            name = type(self).__name__
            msg = f"No results available. Please run the {name} instance first."
            raise ValueError(msg)
        return self._fit_result

    @by_keyword
    def decode_flags(self, return_bit_values: bool = False) -> dict[int, Any]:
        """Tell which flags each source has.

        Parameters
        ----------
        return_bit_values : bool, optional
            Whether to return bits instead of names.

        Returns
        -------
        dict
            The list of each id.

        Raises
        ------
        ValueError
            If there are no results yet.
        """
        return self.last_fit().decode_flags(return_bit_values)

    def group_covariance(self, group_id: int) -> GroupCovariance:
        r"""Compute the joint covariance of a group's sources.

        Its diagonal is that of the errors squared; off it stands how the
        values of blended sources go together.

        Parameters
        ----------
        group_id : int
            The group, as in the table of results.

        Returns
        -------
        GroupCovariance
            The covariance and what its rows are.

        Raises
        ------
        ValueError
            If there are no results yet, no such group, or one of more than 1000
            sources: see `source_covariance`.
        NotImplementedError
            If the fitter was not our own, or the rounds of ``mode='new'`` fitted
            several images.
        """
        return self.last_fit().group_covariance(group_id)

    def source_covariance(self, ids: Any) -> GroupCovariance:
        r"""Compute the joint covariance of some sources of a group, however large.

        It comes from the equations that the fit has left, without the image: of a
        group of up to 48 sources it is that of `group_covariance`, of a larger one
        that of the sources and those around them, within 1 % of it.

        Parameters
        ----------
        ids : int or sequence of int
            The sources, of one group, as in the table of results.

        Returns
        -------
        GroupCovariance
            The covariance and what its rows are.

        Raises
        ------
        ValueError
            If there are no results yet, or the ids are no sources of one group.
        NotImplementedError
            If the fitter was not our own, or the rounds of ``mode='new'`` fitted
            several images.
        """
        return self.last_fit().source_covariance(ids)

    def results_to_init_params(
        self, *, remove_invalid: bool = True, reset_ids: bool = True
    ) -> QTable | None:
        """Make the results the starting values of another fit.

        Parameters
        ----------
        remove_invalid : bool, optional
            Whether to leave out the rows with a value that is not finite.
        reset_ids : bool, optional
            Whether to number the rows from 1 where some may have been removed.

        Returns
        -------
        `~astropy.table.QTable` or `None`
            The columns ``id``, ``x_init``, ``y_init``, ``flux_init`` and those
            of free shape parameters; `None` if there are no results yet.
        """
        fit = self._fit_result
        if fit is None:
            return None
        return fit.to_init_params(remove_invalid=remove_invalid, reset_ids=reset_ids)

    def results_to_model_params(
        self, *, remove_invalid: bool = True, reset_ids: bool = True
    ) -> QTable | None:
        """Name the results as the model's parameters, to simulate an image.

        Parameters
        ----------
        remove_invalid, reset_ids
            See `results_to_init_params`.

        Returns
        -------
        `~astropy.table.QTable` or `None`
            A table for `psfphot.datasets.make_model_image`; `None` if there
            are no results yet.
        """
        fit = self._fit_result
        if fit is None:
            return None
        return fit.to_model_params(remove_invalid=remove_invalid, reset_ids=reset_ids)

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
        return (
            self.last_fit()
            .images()
            .model_image(
                shape,
                psf_shape=psf_shape,
                include_local_bkg=include_local_bkg,
            )
        )

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
        return (
            self.last_fit()
            .images()
            .residual_image(
                data,
                psf_shape=psf_shape,
                include_local_bkg=include_local_bkg,
            )
        )
