"""Evidence for viz/association.py."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.legend import Legend

import dynome as dy
from dynome.errors import InputError
from dynome.viz.palette import EDGE_TYPE


def means(ax) -> list[np.ndarray]:
    return [c.lines[0].get_ydata() for c in ax.containers if isinstance(c, ErrorbarContainer)]


def test_points_are_the_means_of_the_bins(association, ax):
    dy.viz.plot_structure_function(association, ax=ax)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["none", "1", "2", "3–4", "5–8"]
    fc, weight = association.fc.to_numpy(), association.weight.to_numpy()
    for k, drawn in enumerate(means(ax)):
        assert drawn[0] == pytest.approx(fc[weight[k] == 0].mean())
        assert drawn[1] == pytest.approx(fc[weight[k] == 1].mean())


def test_intervals_are_the_standard_ones(association, ax):
    dy.viz.plot_structure_function(association, ax=ax)
    bars = ax.containers[0].lines[2][0].get_segments()
    own = association.fc.to_numpy()[association.weight[0].to_numpy() == 0]
    assert bars[0][1, 1] - bars[0][0, 1] == pytest.approx(2 * 1.96 * own.std(ddof=1) / np.sqrt(own.size))


def test_pairs_without_a_value_do_not_count(association, ax):
    association.fc[:50] = np.nan
    dy.viz.plot_structure_function(association, ax=ax)
    fc, weight = association.fc.to_numpy()[50:], association.weight[0].to_numpy()[50:]
    assert means(ax)[0][0] == pytest.approx(fc[weight == 0].mean())


def test_axes_have_names_and_units(association, ax):
    dy.viz.plot_structure_function(association, ax=ax)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("structural weight (synapses)", "correlation")


def test_the_legend_tells_the_statistic_of_each_layer(association, ax):
    dy.viz.plot_structure_function(association, ax=ax)
    legend = next(c for c in ax.get_children() if isinstance(c, Legend))
    assert legend.get_title().get_text() == "rank correlation"
    assert [t.get_text() for t in legend.get_texts()] == [
        "chemical\n0.31, z = 6.2, p < 0.001",
        "gap junction\n−0.02, z = −0.4, p = 0.7",
    ]


def test_what_is_not_known_is_left_out_of_the_legend(association, ax):
    long = association.statistic.assign_attrs(long_name="Spearman correlation of functional connectivity and weight")
    dy.viz.plot_structure_function(association.assign(statistic=long, z=association.z * np.nan), ax=ax)
    legend = next(c for c in ax.get_children() if isinstance(c, Legend))
    assert legend.get_title().get_text() == "Spearman correlation of\nfunctional connectivity and\nweight"
    assert legend.get_texts()[0].get_text() == "chemical\n0.31, p < 0.001"


def test_weights_that_are_not_counts_are_binned_by_quantiles(association, ax):
    rng = np.random.default_rng(0)
    weight = association.weight.copy(data=rng.exponential(size=association.weight.shape))
    weight[:, :100] = 0
    dy.viz.plot_structure_function(association.assign(weight=weight), ax=ax)
    assert len(ax.get_xticks()) == 7
    assert ax.get_xticklabels()[0].get_text() == "none"


def test_a_giant_weight_does_not_make_empty_bins(association, ax):
    association.weight[0, 0] = 400
    dy.viz.plot_structure_function(association, ax=ax)
    assert [t.get_text() for t in ax.get_xticklabels()][-1] == "≥ 5"


def test_the_observed_value_stands_beside_its_null(association, ax):
    dy.viz.plot_null(association, ax=ax)
    assert [line.get_xdata()[0] for line in ax.lines] == [0.31, -0.02]
    assert [to_hex(line.get_color()) for line in ax.lines] == [
        EDGE_TYPE["chemical"].lower(),
        EDGE_TYPE["gap_junction"].lower(),
    ]
    heights = ax.patches[0].get_data()
    counts, _ = np.histogram(association.null[0], heights.edges)
    np.testing.assert_allclose(heights.values, -0.4 + 0.8 * counts / counts.max())
    assert ax.get_xlabel() == "rank correlation"


@pytest.mark.parametrize(
    ("plot", "variable"),
    [("plot_structure_function", "fc"), ("plot_structure_function", "weight"), ("plot_null", "null")],
)
def test_a_result_without_its_parts_is_refused(association, ax, plot, variable):
    with pytest.raises(InputError, match=f"missing '{variable}', found"):
        getattr(dy.viz, plot)(association.drop_vars(variable), ax=ax)


def test_windows_must_be_selected_first(association, ax):
    with pytest.raises(InputError, match="select one window"):
        dy.viz.plot_null(association.expand_dims(window=2), ax=ax)
