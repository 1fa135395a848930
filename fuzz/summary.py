"""The results of `fuzz/run.py` as a table: python fuzz/summary.py /tmp/fuzz [benchmarks/results/fuzzing.md]

With a page, the table between its two marks is replaced.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

BEGIN, END = "<!-- table -->", "<!-- end of table -->"
COUNTED = ("inputs", "accepted", "refused", "defects", "cpu_s", "wall_s")


def summary(folder: Path) -> str:
    """One line a parser, and the sum."""
    rows: dict[str, dict[str, float]] = {}
    for run in [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]:
        row = rows.setdefault(run["target"], dict.fromkeys((*COUNTED, "slowest_s"), 0))
        for key in COUNTED:
            row[key] += len(run[key]) if key == "defects" else run[key]
        row["slowest_s"] = max(row["slowest_s"], run["slowest_s"])
    every = {key: sum(row[key] for row in rows.values()) for key in COUNTED}
    every["slowest_s"] = max(row["slowest_s"] for row in rows.values())
    lines = ["| parser | inputs | accepted | refused | defects | inputs a second of CPU | slowest, s of CPU |"]
    lines.append("|---|---|---|---|---|---|---|")
    for name, row in [*sorted(rows.items()), ("**all**", every)]:
        counts = " | ".join(f"{int(row[k]):,}" for k in COUNTED[:4])
        lines.append(f"| {name} | {counts} | {row['inputs'] / max(row['cpu_s'], 0.1):.0f} | {row['slowest_s']:.2f} |")
    return "\n".join(
        [*lines, "", f"{every['cpu_s']:.0f} s of CPU and {every['wall_s']:.0f} s by the clock in parsers."]
    )


def main() -> int:
    table = summary(Path(sys.argv[1]))
    if len(sys.argv) == 2:
        print(table)
        return 0
    page = Path(sys.argv[2])
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
