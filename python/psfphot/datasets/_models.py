"""Models made of the rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from astropy.modeling import Model

from psfphot._validate import check_table

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["params_table_to_models"]


def params_table_to_models(params_table: Table, model: Model) -> list[Model]:
    """Make a model of each row of a table.

    Parameters
    ----------
    params_table : `~astropy.table.Table`
        One row for each model. A column with the name of a parameter holds its
        values; parameters without one keep those of ``model``. Units are taken
        of a `~astropy.table.QTable`. A column ``name`` names the models. Other
        columns are ignored.
    model : `~astropy.modeling.Model`
        What is copied for each row; it is not changed.

    Returns
    -------
    list of `~astropy.modeling.Model`
        The models.

    Raises
    ------
    TypeError
        If an argument is not of its type.
    ValueError
        If no column has the name of a parameter.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from psfphot.datasets import params_table_to_models
    >>> from psfphot.psf import CircularGaussianPRF
    >>> table = QTable({"x_0": [1, 2], "y_0": [4, 5], "flux": [100, 200]})
    >>> models = params_table_to_models(table, CircularGaussianPRF())
    >>> models[1]
    <CircularGaussianPRF(flux=200., x_0=2., y_0=5., fwhm=1.)>
    """
    if not isinstance(model, Model):
        msg = f"model must be a Model instance, got {model!r}"
        raise TypeError(msg)
    check_table(params_table, "params_table")
    names = [name for name in model.param_names if name in params_table.colnames]
    if not names:
        msg = (
            "No matching model parameter names found in params_table: the model "
            f"has {', '.join(model.param_names)}, "
            f"the table {', '.join(params_table.colnames)}"
        )
        raise ValueError(msg)
    models = []
    for i in range(len(params_table)):
        own = model.copy()
        for name in names:
            setattr(own, name, params_table[name][i])
        if "name" in params_table.colnames:
            own.name = params_table["name"][i]
        models.append(own)
    return models
