"""The real worms through `dynome analyze` with every method that applies: times, memory, disk, and what was found.

Run: DYNOME_DATA_DIR=... python benchmarks/analyze_real.py OUT   (again: it resumes; writes results/analyze_real.md)
"""

import resource
import subprocess
import sys
from pathlib import Path

import pandas as pd

import dynome as dy
from dynome.pipelines.group_results import numbers_of

RESULTS = Path(__file__).parent / "results" / "analyze_real.md"


def stored_study(folder: Path) -> Path:
    """The worms with their connectome, as a store."""
    path = folder / "worms.zarr"
    if not path.exists():
        wiring = dy.datasets.load_celegans_connectome("cook2019")
        dy.store.save(dy.study.build(dy.datasets.fetch_celegans_calcium(), connectome=wiring), path)
    return path


def analyzed(folder: Path) -> tuple[int, float]:
    """Exit code of the command, and seconds of processor that it took."""
    out = folder / "results.zarr"
    command = [sys.executable, "-c", "from dynome.cli import main; main()", "analyze", str(stored_study(folder))]
    command += ["--out", str(out), "--seed", "0", "--report", str(folder / "report.html")]
    code = subprocess.run([*command, *(["--resume"] if out.exists() else [])]).returncode
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return code, used.ru_utime + used.ru_stime


def size(folder: Path) -> float:
    """Megabytes of a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6


def table(done: dy.pipelines.Analysis) -> pd.DataFrame:
    """A row for each method."""
    rows = {}
    for name, results in done.results.items():
        records = [r for r in results.records.values() if r.status == "done"]
        rows[name] = {
            "done": len(records),
            "failed": len(results.failed),
            "s a session (median)": round(pd.Series([r.seconds for r in records], dtype=float).median(), 1),
            "largest memory (MB)": round(max((r.peak_memory for r in records), default=0) / 1e6),
            "MB on disk": round(size(results.path), 2),
        }
    return pd.DataFrame(rows).T.rename_axis("method").reset_index()


def markdown(frame: pd.DataFrame) -> str:
    lines = [list(map(str, frame.columns)), ["---"] * frame.shape[1]]
    lines += [[f"{v:.4g}" if isinstance(v, float) else str(v) for v in row] for row in frame.itertuples(index=False)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def found(done: dy.pipelines.Analysis) -> list[str]:
    """What each method says of each worm, and whether worms agree."""
    parts = []
    for name, results in done.results.items():
        numbers = numbers_of(dy.pipelines.METHODS[name], results)
        parts.append(f"### {name}\n")
        if numbers is not None:
            parts.append(markdown(numbers["value"].to_pandas().reset_index()) + "\n")
        if name in done.groups:
            group = done.groups[name]
            unit = str(group["shared_similarity"].dims[0])
            agreement = group[["shared_similarity", "shared_p_value", "n_animals"]].to_dataframe()
            columns = [unit, "shared_similarity", "shared_p_value", "n_animals"]
            parts.append(markdown(agreement.reset_index()[columns]) + "\n")
        elif why := done.provenance["methods"][name].get("group", {}).get("left_out"):
            parts.append(f"Not matched: {why}\n")
        for session, record in results.failed.items():
            parts.append(f"Failed: {session}: {record.error['message']}\n")
    return parts


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    code, seconds = analyzed(folder)
    done = dy.pipelines.open_analysis(folder / "results.zarr")
    settings = done.provenance["settings"]
    text = f"""# The real worms through `dynome analyze`

`python benchmarks/analyze_real.py OUT`: {len(done.provenance["study"]["sessions"])} worms (whole-brain calcium, with
the connectome of Cook et al. 2019), every method that applies, default parameters, seed {settings["random_state"]}, one
worker, one thread. Exit code of the last call: {code}; it took {seconds:.0f} s of processor (earlier calls, if there
were any, did the rest). Seconds a session are of the clock on a machine that had other work: upper bounds.

{markdown(table(done))}

dynome {done.provenance["software"]["dynome"]}, python {done.provenance["machine"]["python"]}, two cores.

## What was found

{chr(10).join(found(done))}
"""
    RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
