"""Evidence for datasets/registry.py and datasets/catalogue.py: what is listed is complete, and names are forgiving."""

import re

import numpy as np
import pytest
import xarray as xr

from dynome import datasets, schema
from dynome.datasets.registry import entries
from dynome.errors import InputError


def test_every_listed_function_exists():
    for info in entries().values():
        assert callable(getattr(datasets, info.function)), info.name


@pytest.mark.parametrize("info", [i for i in entries().values() if i.kind == "fetched"], ids=lambda i: i.name)
def test_every_fetched_file_has_a_pinned_https_address_and_a_checksum(info):
    assert info.licence
    assert all(re.fullmatch(r"10\.\d{4,}/\S+", doi) for doi in info.paper)
    assert re.fullmatch(r"[0-9a-f]{40}", info.commit)
    assert not info.checked
    for file in info.files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.size > 0
        assert "/" not in file.name
        assert all(
            a.startswith(f"https://raw.githubusercontent.com/{info.repository}/{info.commit}/") for a in file.addresses
        )


def test_no_two_files_of_the_registry_share_a_checksum():
    sums = [f.sha256 for info in entries().values() for f in info.files]
    assert len(set(sums)) == len(sums) == 94


def test_the_listing_names_licence_paper_and_what_is_offline():
    table = datasets.list_datasets()
    assert list(table.columns) == [
        "name", "kind", "what", "species", "shape", "licence", "paper", "function", "offline",
    ]  # fmt: skip
    assert table.name.is_unique
    assert set(table.kind) == {"carried", "simulated", "fetched"}
    assert table.offline[table.kind != "fetched"].all()


def test_a_bad_name_is_answered_with_a_near_one():
    with pytest.raises(InputError, match="no data set is called 'fly_lava'; did you mean 'fly_larva'"):
        datasets.dataset_info("fly_lava")
    with pytest.raises(InputError, match="choose one of 'celegans_connectome', 'worm'"):
        datasets.fetch("zzz")


def test_a_data_set_answers_to_the_name_of_its_function_too():
    assert datasets.dataset_info("make_worm").name == "worm"


def test_fetch_passes_options_on_and_returns_the_object():
    wiring = datasets.fetch("celegans_connectome", name="white1986", layers="chemical")
    assert schema.validate(wiring, "connectome").sizes["edge"] == 2386
    a, b = (datasets.fetch("connectome", n_nodes=30, random_state=1) for _ in range(2))
    xr.testing.assert_identical(a, b)


@pytest.mark.realdata
def test_every_registered_file_is_found_in_the_data_folder_by_its_checksum(data_dir):
    table = datasets.list_datasets()
    assert table.offline.all()
    from dynome.datasets.sources import local_file

    found = [local_file(info.name, file) for info in entries().values() for file in info.files]
    assert len(found) == 94
    assert all(path is not None and data_dir in path.parents for path in found)


def test_the_simulated_shapes_in_the_listing_are_the_true_ones():
    worm = datasets.make_worm(n_animals=1, random_state=0)["worm_1"].to_dataset()
    assert worm.sizes["time"] == 960
    assert 120 <= worm.sizes["node"] <= 156
    assert 90 <= int(worm.labelled.sum()) <= 111
    tree = datasets.make_dynamic_communities(random_state=0)
    assert len(tree.children) == 5
    assert dict(tree["animal_1"].sizes) == {"time": 600, "node": 60}
    assert dict(datasets.make_connectome(random_state=0).sizes) == {"node": 1000, "edge": 10_000}
    assert np.isfinite(worm.activity).all()
