"""Two windows of Parquet as a service leaves them behind: a reference, and a current window that has drifted.

20 columns of numbers, 10 of texts (2 to 10,000 values), 1 % of every input missing; a label that depends on
the inputs, two models' scores and decisions, two latencies. zstd, and row groups as pyarrow makes them.
A quarter of the columns drifts. The same seed and size give the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

Floats = npt.NDArray[np.float64]

NUMBERS = tuple(f"n{i:02d}" for i in range(20))
TEXTS = tuple(f"c{i:02d}" for i in range(10))
#: How many values each column of texts has.
VALUES = (2, 3, 5, 8, 12, 30, 100, 300, 1_000, 10_000)
LABEL = "label"
DECISIONS = ("incumbent", "candidate")
SCORES = ("score_incumbent", "score_candidate")
LATENCIES = ("latency_incumbent", "latency_candidate")
MISSING = 0.01
CHUNK = 1 << 20
WINDOWS = ("reference", "current")
#: Columns whose current window differs, and how.
DRIFTED = {
    "n00": "mean + 0.1 sd",
    "n05": "sd x 1.15",
    "n07": "mean + 0.2 sd",
    "n12": "5 % missing",
    "c02": "first value twice as frequent",
    "c08": "2 % of values never seen before",
}


def make(folder: Path, rows: int, seed: int = 20261121) -> dict[str, Path]:
    """Write both windows of so many rows unless they are there; return their files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for number, name in enumerate(WINDOWS):
        files[name] = file = folder / f"{name}-{rows}.parquet"
        if file.exists():
            continue
        part = file.with_suffix(".part")
        with pq.ParquetWriter(part, _schema(), compression="zstd") as writer:
            for table in _tables(rows, np.random.default_rng([seed, number]), drifted=bool(number)):
                writer.write_table(table)
        part.rename(file)
    return files


def _schema() -> pa.Schema:
    fields = [(name, pa.float64()) for name in NUMBERS] + [(name, pa.string()) for name in TEXTS]
    fields += [(LABEL, pa.int64()), *((name, pa.int64()) for name in DECISIONS)]
    fields += [(name, pa.float64()) for name in (*SCORES, *LATENCIES)]
    return pa.schema(fields)


def _tables(rows: int, rng: np.random.Generator, *, drifted: bool) -> Iterator[pa.Table]:
    for begun in range(0, rows, CHUNK):
        n = min(CHUNK, rows - begun)
        numbers = {name: _number(i, n, rng, name if drifted else "") for i, name in enumerate(NUMBERS)}
        texts = {name: _text(i, n, rng, name if drifted else "") for i, name in enumerate(TEXTS)}
        answers = _answers(numbers, n, rng)
        columns = {
            name: _with_missing(values, rng, 0.05 if drifted and name == "n12" else MISSING)
            for name, values in (numbers | texts).items()
        }
        yield pa.table({**columns, **answers}, schema=_schema())


def _number(i: int, n: int, rng: np.random.Generator, drifting: str) -> Floats:
    """Return one column: five shapes in turn, of different place and scale."""
    scale = 10.0 ** (i % 4 - 1)
    match i % 5:
        case 0:
            values = rng.normal(i, 1, n)
        case 1:
            values = rng.lognormal(0, 1, n)
        case 2:
            values = rng.normal(1e6, 1, n)
        case 3:
            values = rng.poisson(20, n).astype(float)
        case _:
            values = np.where(rng.random(n) < 0.3, 0.0, rng.exponential(2, n))
    match drifting:
        case "n00":
            values += 0.1
        case "n05":
            values = i + (values - i) * 1.15
        case "n07":
            values += 0.2
    return values * scale


def _text(i: int, n: int, rng: np.random.Generator, drifting: str) -> pa.Array:
    """Return one column: frequencies fall slowly (Zipf's law with exponent 1/2)."""
    share = 1 / np.sqrt(np.arange(1.0, VALUES[i] + 1))
    if drifting == "c02":
        share[0] *= 2
    codes = np.searchsorted(np.cumsum(share / share.sum()), rng.random(n)).clip(0, VALUES[i] - 1)
    names = [f"value-{j:05d}" for j in range(VALUES[i])]
    if drifting == "c08":
        names += [f"new-{j}" for j in range(5)]
        codes = np.where(rng.random(n) < 0.02, VALUES[i] + rng.integers(0, 5, n), codes)
    return pa.DictionaryArray.from_arrays(codes.astype(np.int32), names).cast(pa.string())


def _answers(
    numbers: dict[str, Floats], n: int, rng: np.random.Generator
) -> dict[str, npt.NDArray[np.generic]]:
    pull = 0.8 * numbers["n00"] / 0.1 + 0.5 * (numbers["n05"] / 1.0 - 5) - 1
    label = (rng.random(n) < 1 / (1 + np.exp(-pull))).astype(np.int64)
    answers: dict[str, npt.NDArray[np.generic]] = {LABEL: label}
    for side, noise in enumerate((1.5, 0.7)):
        score = 1 / (1 + np.exp(-(pull + rng.normal(0, noise, n))))
        answers[DECISIONS[side]] = (score > 0.5).astype(np.int64)
        answers[SCORES[side]] = score
        answers[LATENCIES[side]] = rng.lognormal(3 + 0.1 * side, 0.5, n)
    return answers


def _with_missing(values: Floats | pa.Array, rng: np.random.Generator, share: float) -> pa.Array:
    gone = rng.random(len(values)) < share
    if isinstance(values, pa.Array):
        return pa.compute.if_else(pa.array(gone), None, values)
    return pa.array(values, mask=gone)
