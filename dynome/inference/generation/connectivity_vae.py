"""A conditional variational autoencoder of functional connectivity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from dynome import device as devices
from dynome import extras, seeds
from dynome.errors import Problems
from dynome.inference.generation.connectivity_model import EFFECT, PEOPLE, ConnectivityModel, Learnt, history_of
from dynome.inference.generation.populations import Array, Population, log_density
from dynome.schema import COMPONENT, ITERATION

if TYPE_CHECKING:
    from dynome.inference.generation.score_network import ScoreNetwork

WEIGHTS, LATENT = "weights", "latent"
_DRAWS_FOR_MOMENTS = 64  # latent numbers of each person, for the moments of what is decoded
_DRAWS_FOR_DENSITY = 128
_MOST_SIGNAL = 0.95  # of the variance of a score, where training starts
_LEAST_VARIANCE = 0.02  # of a score around its expectation


class ConnectivityVAE(ConnectivityModel):
    r"""Conditional variational autoencoder of functional connectivity.

    Parameters
    ----------
    conditions : tuple of str
        Coordinates of people (or sessions): numbers become smooth curves, words categories.
    n_latent : int
        Latent numbers of a person.
    hidden : int
        Width of the networks.
    n_components : int or None
        Directions that the networks see, as in `ConnectivityGaussian`.
    n_epochs, batch_size, learning_rate, weight_decay, patience
        Of training; it stops after `patience` epochs in which held-out people gain nothing.
    validation : float
        Share of people held out of training of the networks, from 0 to below 0.5; 0 trains all epochs.
    device : str
    random_state : int or None

    Attributes
    ----------
    results_ : DataTree
        As of `ConnectivityGaussian`; besides ``posterior_mean posterior_sd (animal, latent)``, ``score_mean
        (component)``, ``score_covariance (component, other_component)``, ``history validation (iteration)``, in nats a
        person, and ``/weights``; attrs ``best``, the position of the iteration whose weights were kept. The posterior
        of each person is personal data: treat a saved model as such.

    Notes
    -----
    The population of `ConnectivityGaussian` is the front end; the network models how scores s along its directions
    depend on each other and on the conditions c: :math:`s = m(z, c) + \epsilon`. Autoencoders are known for too little
    variance in what they generate, for three reasons that are met here: the noise is learnt, one for each score [1]_,
    and after training its covariance is set to what the decoded means lack of that of the scores; latent numbers are
    drawn from the mixture of the posteriors of all people fitted, not from a Gaussian that they may not fill [2]_; and
    the variance of every pair outside the directions is there as noise.

    References
    ----------
    .. [1] Rybkin, Daniilidis & Levine, ICML 2021, arXiv:2006.13202.
    .. [2] Tomczak & Welling, AISTATS 2018, arXiv:1705.07120 (the aggregated posterior as prior).
    .. [3] Sohn, Lee & Yan, NeurIPS 2015 (conditional variational autoencoders).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> bold = rng.standard_normal((16, 40, 3)) + rng.standard_normal((16, 40, 1))
    >>> fc = xr.DataArray([np.corrcoef(b.T) for b in bold], dims=("animal", "source", "target"),
    ...                   coords={"source": list("abc"), "target": list("abc"), "age": ("animal", np.arange(16.0))})
    >>> model = ConnectivityVAE(conditions=("age",), n_latent=2, n_epochs=3, random_state=0).fit(fc)
    >>> model.sample(5, conditions={"age": 7.0}, random_state=0).shape, model.transform(fc).shape
    ((5, 3, 3), (16, 2))
    """

    def __init__(
        self,
        conditions: tuple[str, ...] = (),
        *,
        n_latent: int = 6,
        hidden: int = 32,
        n_components: int | None = None,
        n_epochs: int = 300,
        batch_size: int = 32,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.01,
        patience: int = 30,
        validation: float = 0.15,
        device: str = "auto",
        random_state: int | None = None,
    ) -> None:
        self.conditions = conditions
        self.n_latent = n_latent
        self.hidden = hidden
        self.n_components = n_components
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.patience = patience
        self.validation = validation
        self.device = device
        self.random_state = random_state

    def _learn(self, fitted: Population, scores: Array, columns: Array, seed: int) -> Learnt:
        extras.require("torch", extra="torch")
        import torch

        from dynome.inference.generation.score_network import ScoreNetwork, trained_scores
        from dynome.training.loops import Plan
        from dynome.training.noise import seeded
        from dynome.training.weights import weights_dataset

        device = devices.resolve(self.device)
        rng = seeds.generator(seed, "network")
        spread = np.maximum(np.sqrt(np.mean((columns - fitted.center) ** 2, axis=0)), 1e-12)
        with seeded(rng):
            network = ScoreNetwork(scores.shape[1], columns.shape[1], self.n_latent, self.hidden)
        shares = np.clip(np.einsum("kp,kp->k", fitted.projection, fitted.loadings) ** 2, 0.0, _MOST_SIGNAL)
        network.start(_float32(shares))
        network = network.to(device)
        held = np.zeros(len(scores), dtype=bool)
        held[rng.permutation(len(scores))[: round(self.validation * len(scores))]] = True
        s, c = (
            torch.tensor(v, dtype=torch.float32, device=device) for v in (scores, (columns - fitted.center) / spread)
        )
        plan = Plan(self.n_epochs, self.learning_rate, self.weight_decay, self.patience)
        done = trained_scores(network, s, c, held, plan, self.batch_size, rng)
        network = network.cpu()
        with torch.no_grad():
            mean, log_sd = (t.numpy().astype(np.float64) for t in network.encode(s.cpu(), c.cpu()))
        average, covariance = _moments(network, mean, np.exp(log_sd), (columns - fitted.center) / spread, rng)
        one = {"units": "1"}
        root = history_of(done.history).assign_attrs(best=done.best_epoch)
        root = root.assign(
            posterior_mean=((PEOPLE, LATENT), mean, one),
            posterior_sd=((PEOPLE, LATENT), np.exp(log_sd), one),
            score_mean=(COMPONENT, average, one),
            score_covariance=((COMPONENT, f"other_{COMPONENT}"), covariance, one),
            column_scale=(EFFECT, spread, one),
        )
        if done.validation.size:
            attrs = one | {"long_name": "negative log density of held-out people, nats"}
            root["validation"] = (ITERATION, done.validation, attrs)
        tree = xr.DataTree.from_dict({"/": root, f"/{WEIGHTS}": weights_dataset(network)})
        return Learnt(tree, done.converged, done.history.size, device, "float32")

    def _draw(self, fitted: Population, columns: Array, rng: np.random.Generator) -> Array:
        results = self._fitted()
        mean, sd = results["posterior_mean"].to_numpy(), results["posterior_sd"].to_numpy()
        chosen = rng.integers(len(mean), size=len(columns))
        latent = mean[chosen] + sd[chosen] * rng.standard_normal((len(columns), mean.shape[1]))
        noise = rng.standard_normal((len(columns), len(fitted.loadings)))
        root = np.linalg.cholesky(results["score_covariance"].to_numpy())
        return self._decoded(latent, self._scaled(fitted, columns)) + noise @ root.T

    def _embed(self, fitted: Population, vectors: Array, columns: Array) -> Array:
        return self._encoded(fitted, vectors, columns)[0]

    def _shift(self, fitted: Population, vectors: Array, columns: Array, goal: Array) -> Array | float:
        latent, _ = self._encoded(fitted, vectors, columns)
        here, there = (self._decoded(latent, self._scaled(fitted, c)) for c in (columns, goal))
        return np.asarray((there - here) @ fitted.loadings)

    def _log_density(self, fitted: Population, vectors: Array, columns: Array) -> Array:
        """By importance sampling: half of the draws from the posterior of the person, half from the prior."""
        results, n, half = self._fitted(), len(vectors), _DRAWS_FOR_DENSITY // 2
        rng = seeds.generator(0, "density")
        prior_mean, prior_sd = results["posterior_mean"].to_numpy(), results["posterior_sd"].to_numpy()
        mean, sd = self._encoded(fitted, vectors, columns)
        chosen = rng.integers(len(prior_mean), size=(n, half))
        noise = rng.standard_normal((n, 2 * half, mean.shape[1]))
        near = mean[:, None] + sd[:, None] * noise[:, :half]
        latent = np.concatenate([near, prior_mean[chosen] + prior_sd[chosen] * noise[:, half:]], axis=1)
        prior = logsumexp(_normal(latent[:, :, None], prior_mean, prior_sd), axis=2) - np.log(len(prior_mean))
        proposal = np.logaddexp(_normal(latent, mean[:, None], sd[:, None]), prior) - np.log(2)
        scaled = np.repeat(self._scaled(fitted, columns)[:, None], 2 * half, axis=1)
        covariance = results["score_covariance"].to_numpy()
        density = log_density(fitted, vectors, columns, self._decoded(latent, scaled), covariance)
        return np.asarray(logsumexp(density + prior - proposal, axis=1) - np.log(2 * half))

    def _scaled(self, fitted: Population, columns: Array) -> Array:
        return np.asarray((columns - fitted.center) / self._fitted()["column_scale"].to_numpy())

    def _encoded(self, fitted: Population, vectors: Array, columns: Array) -> tuple[Array, Array]:
        import torch

        scores = super()._embed(fitted, vectors, columns)
        with torch.no_grad():
            mean, log_sd = self._restored().encode(_float32(scores), _float32(self._scaled(fitted, columns)))
        return mean.numpy().astype(np.float64), np.exp(log_sd.numpy().astype(np.float64))

    def _decoded(self, latent: Array, columns: Array) -> Array:
        average: Array = self._fitted()["score_mean"].to_numpy()
        return _decode(self._restored(), latent, columns) - average

    def _restored(self) -> ScoreNetwork:
        from dynome.inference.generation.score_network import ScoreNetwork
        from dynome.training.noise import seeded
        from dynome.training.weights import load_weights

        results = self._fitted()
        sizes = (results.sizes[COMPONENT], results.sizes[EFFECT], self.n_latent, self.hidden)
        with seeded(np.random.default_rng(0)):
            network = ScoreNetwork(*sizes)
        load_weights(network, results[WEIGHTS].to_dataset(inherit=False))
        return network.eval()

    def _add_problems(self, problems: Problems) -> None:
        for name in ("n_latent", "hidden", "n_epochs", "batch_size", "patience"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                problems.add(f"{name} must be an integer of at least 1, got {value!r}")
        if not (np.isfinite(self.learning_rate) and self.learning_rate > 0):
            problems.add(f"learning_rate must be positive, got {self.learning_rate!r}")
        if not (np.isfinite(self.weight_decay) and self.weight_decay >= 0):
            problems.add(f"weight_decay must not be negative, got {self.weight_decay!r}")
        if not 0 <= self.validation < 0.5:
            problems.add(f"validation must be from 0 to below 0.5, got {self.validation!r}")


def _moments(
    network: ScoreNetwork, mean: Array, sd: Array, columns: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Mean of what is decoded, and the covariance that it lacks of scores of variance 1.

    Latent numbers and conditions are those of different people, as in draws.
    """
    chosen = rng.integers(len(mean), size=len(columns) * _DRAWS_FOR_MOMENTS)
    latent = mean[chosen] + sd[chosen] * rng.standard_normal((chosen.size, mean.shape[1]))
    decoded = _decode(network, latent, np.tile(columns, (_DRAWS_FOR_MOMENTS, 1)))
    average = decoded.mean(axis=0)
    lacking = np.eye(decoded.shape[1]) - np.cov(decoded.T).reshape(2 * decoded.shape[1:])
    values, axes = np.linalg.eigh(lacking)
    return average, np.asarray((axes * np.maximum(values, _LEAST_VARIANCE)) @ axes.T)


def _decode(network: ScoreNetwork, latent: Array, columns: Array) -> Array:
    import torch

    with torch.no_grad():
        decoded = network.decode(_float32(latent), _float32(columns))
    return np.asarray(decoded.numpy(), dtype=np.float64)


def _float32(values: Array) -> Any:
    import torch

    return torch.from_numpy(values.astype(np.float32))


def _normal(x: Array, mean: Array, sd: Array) -> Array:
    return np.asarray((-0.5 * ((x - mean) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)).sum(axis=-1))
