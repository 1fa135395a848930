"""Evidence that windows of long recordings come and go."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from dynome.dynamics import dynamic_connectivity


@pytest.mark.parametrize(("n_nodes", "stride"), [(100, 1200), (400, 1200), (100, 3)])
def test_a_block_of_windows_reads_and_holds_no_more_than_a_few_dozen_megabytes(n_nodes, stride):
    activity = xr.DataArray(
        da.zeros((500_000, n_nodes), chunks=(20_000, n_nodes), dtype=np.float32),
        dims=("time", "node"),
        coords={"time": np.arange(500_000) / 20, "node": [f"n{k}" for k in range(n_nodes)]},
    )
    windows = dynamic_connectivity(activity, window=1200, stride=stride, unit="samples")
    largest = max(windows.chunksizes["window"])
    assert largest > 1
    assert largest * n_nodes**2 * 4 <= 32 << 20
    assert largest * stride * n_nodes * 4 <= 32 << 20
