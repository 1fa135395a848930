"""Classes of scans, such as diagnoses, learnt from their dynamic graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.inference.dynamic_graphs.embeddings import session_coords
from dynome.inference.dynamic_graphs.graph_predictor import GraphPredictor
from dynome.inference.dynamic_graphs.targets import Target, classes_of, target_of
from dynome.schema import SESSION

if TYPE_CHECKING:
    from torch import Tensor

CLASS = "class"


class GraphClassifier(GraphPredictor):
    """Class of a scan from the graphs of its windows: STAGIN [1]_ from scratch, or a fine-tuned pretrained encoder.

    Each window of a scan is a graph of its strongest correlations. Graph isomorphism layers make embeddings of the
    regions, a readout one vector a window, attention over time one vector a scan; the layers' answers add up. Classes
    count alike in the loss, however many sessions they have: probabilities are those of equally frequent classes.

    Compare it with logistic regression on static connectivity, and with `wiring="empty"`, before you believe it: on
    public benchmarks such networks did as well without any edge [2]_.

    Parameters
    ----------
    encoder : GraphMaskedAutoencoder or None
        A fitted one (or another fitted estimator on dynamic graphs) whose encoder training starts from; it is copied.
        It decides regions, graphs and the shape of the encoder: `window` to `wiring` and `hidden` to `timestamp` must
        then be None.
    readout : {"sero", "garo", "garo_stagin", "mean"}
        How regions become a vector: weighted by squeeze-and-excitation; by scaled dot products, scaled before the
        sigmoid or, as in the published code, after it; all alike.
    hidden, n_layers : int or None
        Features, and layers of the encoder; None: 64 and 4.
    timestamp : {"gru", "sinusoidal", "none"} or None
        What is known of the time of a window; None: "gru", a recurrent network that reads all regions up to its end.
    window, stride : float or None
        Width of a window and step to the next; None: 50 and 12.
    unit : {"s", "samples"} or None
        Of both; None: seconds.
    density : float or None
        Share of the entries of a window's correlation matrix that become edges; None: 0.3.
    wiring : {"observed", "empty", "shuffled"} or None
        Controls: no edges; nodes of each window's graph permuted at random. None: "observed".
    heads : int
        Attentions over time, which divide `hidden`.
    summary : {"mean", "sum", "token"}
        How windows count together. STAGIN sums, which makes answers depend on the length of a scan.
    dropout : float
        Share of the features that an answer goes without in a step; attention goes without a fifth of that.
    orthogonality : float
        Weight of the penalty on regions that are alike.
    freeze : bool
        Keep the pretrained encoder as it is, and train the rest.
    n_windows : int or None
        Consecutive windows of a scan in a training step, from a random start; None takes as many as the shortest scan
        of the batch has. Answers always use the whole scan.
    n_epochs, batch_size : int
        Passes through the scans; scans in a step.
    learning_rate, weight_decay : float
        Of AdamW; the rate rises over the first fifth of training and then falls.
    validation : float
        Share of the animals of each class that is kept to choose the best epoch; 0 trains to the end.
    patience : int
        Epochs without a better validation loss after which training stops.
    device : str
        "auto", "cpu", "cuda", ...
    precision : {"float32", "bfloat16"}
        Of the products in training.
    accumulate : int
        Batches whose gradients make one step.
    checkpoint : path or None
        File to continue from where it exists, and to write to.
    random_state : int or None
        Seed of first weights, clips and dropout.

    Attributes
    ----------
    results_ : DataTree
        ``history validation (iteration)``, ``part (session)`` ("training", "validation", or "left out" for want of a
        value), ``class``, ``node`` with what is known of it, ``/weights``; attrs ``target n_left_out best``, and
        ``regions_left_out`` of ``regions_in_all``, because some session (or the pretrained encoder) lacks them.

    References
    ----------
    .. [1] Kim, Ye & Kim (2021), NeurIPS, arXiv:2105.13495.
    .. [2] Lara-Rangel & Heinbaugh (2025), arXiv:2503.15902.

    Examples
    --------
    >>> from dynome import schema, study
    >>> rng = np.random.default_rng(0)
    >>> scan = lambda: schema.recording(rng.normal(size=(60, 6)), time=np.arange(60.0), node=list("abcdef"), units="1")
    >>> people = study.build({f"p{k}": scan() for k in range(4)})
    >>> model = GraphClassifier(hidden=4, n_layers=1, window=20, stride=10, n_epochs=2, device="cpu", random_state=0)
    >>> model = model.fit(people, target={"p0": "ill", "p1": "well", "p2": "ill", "p3": "well"})
    >>> model.predict_proba(people).sizes, model.results_["class"].values.tolist()
    (Frozen({'session': 4, 'class': 2}), ['ill', 'well'])
    """

    def predict(self, study: Any) -> xr.DataArray:
        """Most probable class of each session.

        Parameters
        ----------
        study : DataTree, mapping, Dataset or DataArray
            As for `transform`.

        Returns
        -------
        (session,)
        """
        said = self.predict_proba(study)
        best = said[CLASS].to_numpy()[said.to_numpy().argmax(1)]
        return xr.DataArray(best, dims=SESSION, coords=said.drop_vars(CLASS).coords, name=self._name())

    def predict_proba(self, study: Any) -> xr.DataArray:
        """Probability of each class, for each session, were all classes equally frequent.

        Parameters
        ----------
        study : DataTree, mapping, Dataset or DataArray
            As for `transform`.

        Returns
        -------
        (session, class)
        """
        from scipy.special import softmax

        scans = self._scans(study)
        return xr.DataArray(
            softmax(self._answers(scans), axis=1),
            dims=(SESSION, CLASS),
            coords={**session_coords(scans), CLASS: self._fitted()[CLASS].to_numpy()},
            name=self._name(),
            attrs={"units": "1", "long_name": "probability"},
        )

    def score(self, study: Any, target: Any = None) -> float:
        """Mean over classes of the share of sessions that are told right (balanced accuracy); chance is 1 / classes.

        Parameters
        ----------
        study : DataTree, mapping, Dataset or DataArray
            As for `transform`.
        target : str, mapping, Series, DataArray, sequence or None
            As for `fit`; None is the variable that was fitted. Sessions without a value do not count.
        """
        said = self.predict(study)
        name = self._name() if target is None and isinstance(study, xr.DataTree) else target
        truth = target_of(study, name, said[SESSION].to_numpy().tolist())
        right = said.to_numpy() == truth.values
        return float(np.mean([right[truth.values == c].mean() for c in np.unique(truth.values[truth.known])]))

    def _name(self) -> str:
        return str(self._fitted().attrs["target"])

    def _coded(self, target: Target) -> tuple[xr.Dataset, NDArray[np.int64]]:
        classes = classes_of(target)
        place = np.searchsorted(classes, target.values).clip(0, classes.size - 1)
        return xr.Dataset(coords={CLASS: classes}), np.where(target.known, place, -1)

    def _strata(self, target: Target) -> NDArray[Any]:
        return target.values

    def _n_outputs(self, about: xr.Dataset) -> int:
        return about.sizes[CLASS]

    def _losses(self, output: Tensor, y: Tensor, of_training: NDArray[np.int64]) -> Tensor:
        from torch.nn.functional import cross_entropy

        number = np.bincount(of_training, minlength=output.shape[1])
        weight = output.new_tensor(of_training.size / (number.size * np.maximum(number, 1)))
        return cross_entropy(output, y, reduction="none") * weight[y]
