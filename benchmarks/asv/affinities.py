"""Affinities: describing them, forming the tensor, and factorising without forming it."""

from __future__ import annotations

import dynome as dy


class Affinities:
    params = ("geomean", "correlation")
    param_names = ("kernel",)

    def setup(self, kernel: str) -> None:
        worms = dy.datasets.make_dynamic_communities(40, 300, random_state=0)
        self.animals = dy.dynamics.align_animals(worms, rate=2.0)
        self.described = dy.dynamics.affinity(self.animals, kernel=kernel)

    def time_describe(self, kernel: str) -> None:
        dy.dynamics.affinity(self.animals, kernel=kernel)

    def time_form(self, kernel: str) -> None:
        dy.dynamics.affinity_tensor(self.described)

    def peakmem_form(self, kernel: str) -> None:
        dy.dynamics.affinity_tensor(self.described)


class Implicit:
    """Five iterations on a tensor that is never formed."""

    def setup(self) -> None:
        worms = dy.datasets.make_dynamic_communities(40, 300, random_state=0)
        self.described = dy.dynamics.affinity(dy.dynamics.align_animals(worms, rate=2.0))
        self.fit()

    def fit(self) -> None:
        dy.dynamics.NonnegativeCP(rank=4, n_restarts=2, max_iter=5, random_state=0).fit(self.described)

    def time_fit(self) -> None:
        self.fit()

    def peakmem_fit(self) -> None:
        self.fit()
