"""Takes the truth out of the outcomes, to show that nothing is promoted on luck."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SEED = 20130401


def permute_outcomes(folder: Path, label: str = "late") -> None:
    """Shuffle the labels over all requests of all files, keeping when each became known."""
    files = sorted(folder.glob("*.parquet"))
    tables = [pq.read_table(file) for file in files]
    labels = pa.concat_tables(tables)[label].combine_chunks()
    shuffled = labels.take(pa.array(np.random.default_rng(SEED).permutation(len(labels))))
    at = 0
    for file, table in zip(files, tables, strict=True):
        mine = shuffled.slice(at, table.num_rows)
        at += table.num_rows
        table = table.set_column(table.schema.get_field_index(label), table.schema.field(label), mine)
        pq.write_table(table, file, compression="zstd")
