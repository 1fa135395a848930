"""The results of `fuzz/run.py` as a table: python fuzz/summary.py /tmp/fuzz"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(folder: Path) -> int:
    runs = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    rows: dict[str, dict[str, float]] = {}
    for run in runs:
        row = rows.setdefault(
            run["target"], dict.fromkeys(("inputs", "accepted", "refused", "defects", "cpu_s", "wall_s"), 0)
        )
        for key in ("inputs", "accepted", "refused", "cpu_s", "wall_s"):
            row[key] += run[key]
        row["defects"] += len(run["defects"])
        row["slowest_s"] = max(row.get("slowest_s", 0), run["slowest_s"])
    print("| parser | inputs | accepted | refused | defects | inputs/s of CPU | slowest, s of CPU |")
    print("|---|---|---|---|---|---|---|")
    for name, row in sorted(rows.items()):
        counts = " | ".join(f"{int(row[k]):,}" for k in ("inputs", "accepted", "refused", "defects"))
        print(f"| {name} | {counts} | {row['inputs'] / max(row['cpu_s'], 0.1):.0f} | {row['slowest_s']:.3f} |")
    totals = {
        k: sum(row[k] for row in rows.values()) for k in ("inputs", "accepted", "refused", "defects", "cpu_s", "wall_s")
    }
    counts = " | ".join(f"{int(totals[k]):,}" for k in ("inputs", "accepted", "refused", "defects"))
    print(f"| **all** | {counts} | {totals['inputs'] / totals['cpu_s']:.0f} | |")
    print(f"\n{totals['cpu_s']:.0f} s of CPU, {totals['wall_s']:.0f} s by the clock, in parsers alone.")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
