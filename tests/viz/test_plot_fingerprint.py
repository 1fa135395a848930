"""Evidence for viz/dynamic_graphs/people.py."""

import numpy as np
import pytest

import dynome as dy
from dynome.errors import InputError


def test_the_most_similar_scan_of_each_row_is_marked_and_filled_where_it_is_the_own(fingerprints, ax):
    matrix, _ = dy.viz.plot_fingerprint(fingerprints, ax=ax).child_axes
    np.testing.assert_allclose(matrix.images[0].get_array(), fingerprints.similarity)
    own, other = matrix.lines
    assert np.stack(own.get_data()).T.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert np.stack(other.get_data()).T.tolist() == [[0, 3]]
    assert (own.get_markerfacecolor(), other.get_markerfacecolor()) == ("white", "none")


def test_rates_are_told_with_intervals_and_p_values(fingerprints, ax):
    matrix, shares = dy.viz.plot_fingerprint(fingerprints, ax=ax).child_axes
    forward, backward = matrix.get_title(loc="left").split("\n")
    assert forward == "first → second: 3 of 4 found [0.25, 1.00], p = 0.04"
    assert backward == "second → first: 4 of 4 found [0.50, 1.00], p = 0.01"
    assert shares.get_title(loc="left") == "same less other: 0.5 [0.4, 0.6]\np = 0.02"


def test_similarities_within_and_between_animals_are_shares_of_their_own_number(fingerprints, ax):
    _, shares = dy.viz.plot_fingerprint(fingerprints, ax=ax).child_axes
    between, within = shares.containers
    assert sum(bar.get_height() for bar in between) == pytest.approx(1)
    assert sum(bar.get_height() for bar in within) == pytest.approx(1)
    means = [float(lines.get_paths()[0].vertices[0, 0]) for lines in shares.collections]
    same = np.eye(4, dtype=bool)
    np.testing.assert_allclose(means, [fingerprints.similarity.values[w].mean() for w in (~same, same)])


def test_similarities_alone_are_drawn_without_rates(fingerprints, ax):
    matrix, shares = dy.viz.plot_fingerprint(fingerprints[["similarity"]], ax=ax).child_axes
    assert matrix.get_title(loc="left") == shares.get_title(loc="left") == ""


def test_other_tables_are_refused(fingerprints, ax):
    with pytest.raises(InputError, match="missing 'similarity'"):
        dy.viz.plot_fingerprint(fingerprints[["rate"]], ax=ax)
    with pytest.raises(InputError, match="expected the same animals in first and second"):
        dy.viz.plot_fingerprint(fingerprints.isel(first=[1, 0, 2, 3]), ax=ax)
