"""Evidence for viz/palette.py: limits, signs, and colours that readers can tell apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynome.schema import EDGE_TYPES
from dynome.viz.palette import CATEGORIES, EDGE_TYPE, MISSING, OKABE_ITO, SERIES, category_colors, color_scale


def test_a_scale_of_signed_values_is_symmetric_about_zero():
    scale = color_scale(np.array([-2.0, 0.5, 1.0]))
    assert (scale.norm.vmin, scale.norm.vmax) == (-2, 2)
    np.testing.assert_allclose(scale.cmap(scale.norm(0.0))[:3], [0.97, 0.97, 0.97], atol=0.02)  # zero is white


def test_a_small_negative_side_does_not_make_a_scale_diverging():
    scale = color_scale(np.array([-0.05, 1.0, 3.0]))
    assert scale.cmap.name == "viridis"
    assert (scale.norm.vmin, scale.norm.vmax) == (-0.05, 3)


def test_outliers_are_clipped_and_the_scale_says_so():
    values = np.append(np.linspace(0, 1, 999), 1000.0)
    scale = color_scale(values)
    assert scale.norm.vmax == pytest.approx(0.99, abs=0.01)
    assert scale.extend == "both"


def test_nothing_is_an_outlier_among_few_values():
    assert color_scale(np.array([1.0, 2.0, 1000.0])).norm.vmax == 1000


def test_missing_values_are_grey_and_do_not_count():
    from matplotlib.colors import to_rgba

    scale = color_scale(np.array([np.nan, 1.0, 2.0, np.inf]))
    assert scale.norm.vmax == 2
    assert scale.cmap.get_bad().tolist() == list(to_rgba(MISSING))


def test_without_a_finite_value_there_is_no_scale():
    assert color_scale(np.array([np.nan, np.inf])) is None


def test_sparse_counts_of_wide_range_get_a_logarithmic_scale_without_zero():
    values = np.zeros(1000)
    values[:300] = np.arange(1, 301)
    scale = color_scale(values, sparse=True)
    assert type(scale.norm).__name__ == "LogNorm"
    assert scale.norm.vmin == 1
    assert scale.blank_zeros
    assert type(color_scale(np.array([0, 0, 1.0, 2.0]), sparse=True).norm).__name__ == "Normalize"


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.booleans())
def test_every_scale_has_a_positive_width(values, sparse):
    scale = color_scale(np.array(values), sparse=sparse)
    assert scale.norm.vmin < scale.norm.vmax


def test_categories_keep_their_colour_whatever_their_order():
    assert category_colors(["b", "a"]) == category_colors(["a", "b", "b"])


def test_numbers_sort_as_numbers_and_unknown_is_grey():
    colors = category_colors([10, 2, -1, ""])
    assert list(colors)[:2] == ["2", "10"]
    assert colors["-1"] == colors[""] == MISSING


def test_every_edge_type_has_its_own_colour():
    assert set(EDGE_TYPE) == set(EDGE_TYPES)
    assert len(set(EDGE_TYPE.values())) == len(EDGE_TYPES)


def luminance_and_chroma(color: str, deficiency: str) -> np.ndarray:
    """Colour as a person with a red-green deficiency sees it (Vienot, Brettel & Mollon 1999), in CIELAB."""
    from matplotlib.colors import to_rgb

    rgb = np.array(to_rgb(color))
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    simulate = {
        "protan": [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
        "deutan": [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
    }[deficiency]
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ (simulate @ linear)
    f = np.cbrt(np.maximum(xyz / [0.9505, 1.0, 1.089], 0.008856))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("deficiency", ["protan", "deutan"])
def test_the_first_categories_differ_for_colour_blind_readers(deficiency):
    seen = [luminance_and_chroma(c, deficiency) for c in OKABE_ITO]
    gaps = [np.linalg.norm(a - b) for k, a in enumerate(seen) for b in seen[:k]]
    assert min(gaps) > 10  # 2.3 is just noticeable


def test_lines_are_never_the_yellow_that_white_swallows():
    assert "#F0E442" in CATEGORIES
    assert "#F0E442" not in SERIES
