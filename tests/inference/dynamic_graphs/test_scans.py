"""Evidence for scans: regions are joined by label, windows are counted in seconds, nothing is read too early."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from trial_scans import activity

from dynome import schema, study
from dynome.errors import InputError
from dynome.inference.dynamic_graphs.scans import digests_of, scans_of, series_of
from dynome.inference.dynamic_graphs.settings import GraphSettings

SETTINGS = GraphSettings(window=20, stride=10)


def test_windows_of_seconds_follow_the_clock_of_each_scan():
    found = scans_of({"slow": activity(step=2.0), "fast": activity(step=0.5)}, SETTINGS)
    slow, fast = found.scans
    assert (slow.width, slow.starts.tolist()) == (10, [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50])
    assert (fast.width, fast.starts.tolist()) == (40, [0, 20])


def test_windows_of_samples_do_not_ask_the_clock():
    found = scans_of({"slow": activity(step=2.0), "fast": activity(step=0.5)}, SETTINGS._replace(unit="samples"))
    assert [(scan.width, scan.starts.size) for scan in found.scans] == [(20, 5), (20, 5)]


def test_stagin_drops_the_window_that_ends_with_the_scan():
    counts = [scans_of(activity(), SETTINGS._replace(closed=c)).scans[0].starts.size for c in ("inclusive", "stagin")]
    assert counts == [5, 4]


def test_regions_are_joined_by_label_whatever_their_order():
    x = activity()
    found = scans_of({"ann": x, "bob/one": x.isel(node=[5, 1, 0, 7])}, SETTINGS)
    assert found.nodes.tolist() == ["a", "b", "f", "h"]
    first, second = map(series_of, found.scans)
    np.testing.assert_array_equal(first, second)
    assert [scan.animal for scan in found.scans] == ["ann", "bob"]


def test_what_the_sessions_say_alike_of_regions_travels():
    x = activity().assign_coords(network=("node", list("AABBCCDD")), site=("node", np.arange(8.0)))
    found = scans_of({"ann": x, "bob": x.assign_coords(site=x.site + 1)}, SETTINGS)
    assert set(found.node_coords.coords) == {"node", "network"}


def test_series_are_standardized_over_the_whole_scan():
    x = series_of(scans_of(3 + 5 * activity(), SETTINGS).scans[0])
    assert x.dtype == np.float32
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(x.std(0), 1, atol=1e-5)


def test_a_study_is_not_read_before_it_is_needed():
    def refuse(block):
        raise RuntimeError("read too early")

    lazy = activity().chunk().map_blocks(refuse, template=activity().chunk())
    found = scans_of({"ann": lazy}, SETTINGS)
    with pytest.raises(RuntimeError, match="read too early"):
        series_of(found.scans[0])


def test_phenotypes_and_connectomes_are_no_scans():
    rec = schema.recording(activity().to_numpy(), time=np.arange(60.0), node=list("abcdefgh"), units="1")
    tree = study.build(
        {"ann": rec}, phenotype=xr.Dataset({"age": ("animal", [3.0], {"units": "1"})}, {"animal": ["ann"]})
    )
    assert [scan.session for scan in scans_of(tree, SETTINGS).scans] == ["ann"]


def test_every_session_that_is_shorter_than_a_window_is_named():
    data = {"ann": activity(n_time=10), "bob": activity(), "cid": activity(n_time=12)}
    with pytest.raises(InputError, match=r"ann: a window of 20 s \(20 samples\) is longer than the scan(.|\n)*cid: "):
        scans_of(data, SETTINGS)


@pytest.mark.parametrize(
    ("data", "nodes", "told"),
    [
        ({"ann": activity(nodes="abc"), "bob": activity(nodes="cde")}, None, "share at least 2 regions, they share 1"),
        ({"ann": activity(nodes="abc")}, list("abz"), r"ann lacks 1 of the model's 3 regions: 'z'"),
        ({"ann": activity().isel(time=[0, 1, 2, 9, 10])}, None, "ann: "),
        ({"ann": activity(nodes="abb")}, None, "must be unique, found repeated 'b'"),
        ({"ann": activity().isel(node=0)}, None, "expected activity"),
        ({"ann": 3}, None, "found a int"),
        ("study.zarr", None, r"found the path 'study.zarr'; open it with dy.store.open"),
        (
            {"ann": activity(), "bob": activity(nodes="xyzvw"), "cid": activity()},
            None,
            "(?s)bob has only 0 of the 8 regions of the others .*share at least 2 regions",
        ),
        ({}, None, "at least one recording"),
    ],
)
def test_scans_that_cannot_be_cut_are_refused(data, nodes, told):
    with pytest.raises(InputError, match=told):
        scans_of(data, SETTINGS, nodes=nodes)


def test_all_settings_that_cannot_be_used_are_told_at_once():
    bad = GraphSettings(window=0, stride=-1, unit="min", closed="open", density=1.0, wiring="none")
    with pytest.raises(InputError, match=r"(?s)window.*stride.*unit.*closed.*wiring.*density"):
        scans_of(activity(), bad)


def test_a_window_needs_three_samples():
    with pytest.raises(InputError, match="at least 3 samples"):
        scans_of(activity(), SETTINGS._replace(window=2))


def test_missing_values_and_still_regions_are_told_of_all_sessions_at_once():
    still, holey = activity(), activity()
    still.loc[{"node": "c"}] = 2.0
    holey[4, 1] = np.nan
    found = scans_of({"ann": still, "bob": holey, "cid": activity()}, SETTINGS)
    with pytest.raises(
        InputError, match=r"(?s)ann.*regions 'c' never change.*bob.*regions 'b' have values that are NaN"
    ):
        digests_of(found)


def test_a_digest_knows_values_windows_and_names():
    def digest(data, settings=SETTINGS):
        return digests_of(scans_of(data, settings)).tobytes()

    told = {
        digest({"ann": activity()}),
        digest({"bob": activity()}),
        digest({"ann": activity(seed=1)}),
        digest({"ann": activity()}, SETTINGS._replace(stride=5)),
    }
    assert len(told) == 4
    assert digest({"ann": activity().chunk()}) in told
