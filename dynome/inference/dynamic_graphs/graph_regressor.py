"""Numbers told by scans, such as ages, learnt from their dynamic graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.inference.dynamic_graphs.embeddings import session_coords
from dynome.inference.dynamic_graphs.graph_predictor import GraphPredictor
from dynome.inference.dynamic_graphs.targets import Target, numbers_of, target_of
from dynome.schema import SESSION

if TYPE_CHECKING:
    from torch import Tensor


class GraphRegressor(GraphPredictor):
    """A number for each scan from the graphs of its windows; the network of `GraphClassifier` with squared errors.

    Compare it with ridge regression on static connectivity before you believe it.

    Parameters
    ----------
    encoder, readout, hidden, n_layers, timestamp, window, stride, unit, density, wiring, heads, summary, dropout, \
orthogonality, freeze, n_windows, n_epochs, batch_size, learning_rate, weight_decay, validation, patience, device, \
precision, accumulate, checkpoint, random_state
        As in `GraphClassifier`; `validation` keeps a share of all animals.

    Attributes
    ----------
    results_ : DataTree
        As in `GraphClassifier`, with ``center`` and ``scale`` of the target instead of classes.

    Examples
    --------
    >>> from dynome import schema, study
    >>> rng = np.random.default_rng(0)
    >>> scan = lambda: schema.recording(rng.normal(size=(60, 6)), time=np.arange(60.0), node=list("abcdef"), units="1")
    >>> people = study.build({f"p{k}": scan() for k in range(4)})
    >>> model = GraphRegressor(hidden=4, n_layers=1, window=20, stride=10, n_epochs=2, device="cpu", random_state=0)
    >>> model.fit(people, target=[20.0, 30.0, 40.0, 60.0]).predict(people).sizes
    Frozen({'session': 4})
    """

    def predict(self, study: Any) -> xr.DataArray:
        """Value of each session.

        Parameters
        ----------
        study : DataTree, mapping, Dataset or DataArray
            As for `transform`.

        Returns
        -------
        (session,)
            In the unit of the target.
        """
        scans = self._scans(study)
        results = self._fitted()
        values = float(results["center"]) + float(results["scale"]) * self._answers(scans)[:, 0]
        name = str(results.attrs["target"])
        return xr.DataArray(values, dims=SESSION, coords=session_coords(scans), name=name, attrs={"units": "1"})

    def score(self, study: Any, target: Any = None) -> float:
        """Coefficient of determination, 1 at best; 0 is as good as the mean of these sessions.

        Parameters
        ----------
        study : DataTree, mapping, Dataset or DataArray
            As for `transform`.
        target : str, mapping, Series, DataArray, sequence or None
            As for `fit`; None is the variable that was fitted. Sessions without a value do not count.

        Raises
        ------
        InputError
            If fewer than two sessions have a value, or all values are equal.
        """
        said = self.predict(study)
        name = self._fitted().attrs["target"] if target is None and isinstance(study, xr.DataTree) else target
        wanted = target_of(study, name, said[SESSION].to_numpy().tolist())
        truth = numbers_of(wanted)[wanted.known]
        error = said.to_numpy()[wanted.known] - truth
        return float(1 - (error**2).sum() / ((truth - truth.mean()) ** 2).sum())

    def _coded(self, target: Target) -> tuple[xr.Dataset, NDArray[np.float32]]:
        values = numbers_of(target)
        known = values[target.known]
        center, scale = known.mean(), known.std()
        about = xr.Dataset({"center": ((), center, {"units": "1"}), "scale": ((), scale, {"units": "1"})})
        return about, ((values - center) / scale).astype(np.float32)

    def _strata(self, target: Target) -> NDArray[Any]:
        return np.zeros(target.values.size, dtype=np.int64)

    def _n_outputs(self, about: xr.Dataset) -> int:
        return 1

    def _losses(self, output: Tensor, y: Tensor, of_training: NDArray[np.float32]) -> Tensor:
        return (output[:, 0] - y) ** 2
