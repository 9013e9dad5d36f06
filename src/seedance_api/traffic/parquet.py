"""Parquet: analytics as a file for other programs. Only this module needs arro3, the extra `analytics`."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import IO

from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema
from arro3.io import write_parquet

from seedance_api.traffic.analytics_queries import Told

_EPOCH = datetime.fromtimestamp(0, UTC)
_SCHEMA = Schema([
    Field("grain", DataType.string(), nullable=False),
    Field("starts_at", DataType.timestamp("us", tz="UTC"), nullable=False),
    Field("measure", DataType.string(), nullable=False),
    Field("value", DataType.string(), nullable=False),
    Field("status_class", DataType.int16(), nullable=True),
    Field("livemode", DataType.bool(), nullable=True),
    Field("count", DataType.int64(), nullable=False),
    Field("accounts", DataType.int64(), nullable=False),
])  # fmt: skip


def write(pages: Iterable[Sequence[Told]], file: IO[bytes]) -> None:
    """Write every page; they are asked for one after the other, so that two of them are in memory at most."""
    batches = (_batch(page) for page in pages if page)
    write_parquet(RecordBatchReader.from_batches(_SCHEMA, batches), file, compression="zstd(3)")


def _batch(page: Sequence[Told]) -> RecordBatch:
    columns = [_column(field, page) for field in _SCHEMA]
    return RecordBatch.from_arrays(columns, schema=_SCHEMA)  # pyright: ignore[reportUnknownMemberType] of buffers


def _column(field: Field, page: Sequence[Told]) -> Array:
    values = [getattr(told, field.name) for told in page]
    if field.name != "starts_at":
        return Array(values, type=field)
    # it makes no times of Python's own
    return Array([(value - _EPOCH) // timedelta(microseconds=1) for value in values], type=DataType.int64()).cast(field)
