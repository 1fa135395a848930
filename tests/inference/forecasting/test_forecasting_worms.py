"""Real worms: the task is made, linear models beat persistence, and the table is whole."""

import numpy as np
import pytest

from dynome import datasets
from dynome.dynamics import AR, Persistence, RidgeVAR
from dynome.inference import compare_forecasts, forecasting_task


@pytest.mark.realdata
@pytest.mark.parametrize("split", ["by_time", "by_animal"])
def test_worms_are_forecast_better_than_by_persistence(data_dir, split):
    worms, wiring = datasets.fetch_celegans_calcium(), datasets.load_celegans_connectome()
    task = forecasting_task(worms, wiring, split=split, random_state=0)
    models = [Persistence(), AR(), RidgeVAR(), ("wired", RidgeVAR(support=True))]
    table = compare_forecasts(models, task, nulls=1, n_bootstrap=50, random_state=0)
    skill = table.scores.mean_score.sel(metric="skill")
    assert skill.sel(model="Persistence") == 0
    assert (skill.sel(model=["AR", "RidgeVAR", "wired"]) > 0.02).all()
    assert np.isfinite(table.differences.difference).all()
