"""Tasks of forecasting without leaks, their scores, and what the wiring is worth."""
