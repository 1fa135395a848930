"""Simulators that return data and the truth behind them: one module, one ``make_*`` each."""
