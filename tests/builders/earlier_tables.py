"""Tables of earlier schemas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from aucli.annotation.records import RunRecord, VideoRecord
from aucli.annotation.table import LANDMARK_COLUMNS, METADATA_KEY, QUALITY_COLUMNS, table_schema

RECORD_FIELDS_OF_0_1 = (
    *("n_frames", "n_failed", "n_rows", "width", "height", "fps", "duration_s", "rotation_deg"),
    *("codec", "decoder", "size_bytes", "sha256", "broken"),
)


def write_schema_1(path: Path, run: RunRecord, videos: Mapping[str, tuple[VideoRecord, pa.Table]]) -> Path:
    """Write rows, given in today's form, as schema 1: one list of landmarks, names as one dictionary."""
    labels = pa.array(list(videos), pa.string())
    records = {}
    schema = _schema_1(run)
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=["video"]) as writer:
        for number, (label, (record, rows)) in enumerate(videos.items()):
            video = pa.DictionaryArray.from_arrays(pa.array(np.full(len(rows), number, np.int32)), labels)
            points = [rows[column].combine_chunks() for column in LANDMARK_COLUMNS]
            lists = [
                None if values[0] is None else list(values)
                for values in zip(*(column.to_pylist() for column in points), strict=True)
            ]
            others = [rows[name] for name in schema.names if name not in ("video", "landmarks")]
            arrays = [video, *others]
            arrays.insert(schema.names.index("landmarks"), pa.array(lists, pa.list_(pa.float32(), 10)))
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=max(1, len(rows)))
            known = {name: value for name, value in asdict(record).items() if name in RECORD_FIELDS_OF_0_1}
            records[label] = known | {"row_groups": [number, 1]}
        metadata = {"schema": 1, "aucli": "0.1.0", **asdict(run), "videos": records}
        writer.add_key_value_metadata({"aucli": json.dumps(metadata)})
    return path


def as_schema_2(path: Path) -> Path:
    """Make a table of today into one of schema 2, which had no `QUALITY_COLUMNS`."""
    table = pq.read_table(path).drop_columns(list(QUALITY_COLUMNS))
    metadata = json.loads(pq.read_metadata(path).metadata[METADATA_KEY]) | {"schema": 2}
    pq.write_table(table.replace_schema_metadata({METADATA_KEY: json.dumps(metadata).encode()}), path)
    return path


def _schema_1(run: RunRecord) -> pa.Schema:
    fields = []
    for field in table_schema(run.aus):
        if field.name == "video":
            fields.append(pa.field("video", pa.dictionary(pa.int32(), pa.string())))
        elif field.name == LANDMARK_COLUMNS[0]:
            fields.append(pa.field("landmarks", pa.list_(pa.float32(), 10)))
        elif field.name not in (*LANDMARK_COLUMNS, *QUALITY_COLUMNS):
            fields.append(field)
    return pa.schema(fields)
