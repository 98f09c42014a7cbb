"""Light curves as bytes: each row by itself, whichever chunk of the table it is in, and as they were written before."""

import pyarrow as pa
import pytest

from tides_bridge.lightcurves.stored import pack_rows, unpack_table, unpack_tables

TABLE = pa.table(
    {
        "object_id": ["a", "b", "c"],
        "point_mjd": pa.array([[61000.0, 61001.5], [], [61002.25]], pa.large_list(pa.float64())),
    }
)


def content_of(packed: str) -> bytes:
    """Give the bytes that the database would."""
    assert packed.startswith("\\x")
    return bytes.fromhex(packed[2:])


@pytest.mark.parametrize("table", [TABLE, pa.concat_tables([TABLE.slice(0, 2), TABLE.slice(2)])])
def test_each_row_comes_back_by_itself(table: pa.Table) -> None:
    rows = [unpack_table(content_of(packed)) for packed in pack_rows(table, [2, 0, 1])]
    assert [row.to_pylist() for row in rows] == [[TABLE.to_pylist()[number]] for number in (2, 0, 1)]
    assert all(row.schema == TABLE.schema for row in rows)


def test_a_part_brings_nothing_of_the_others() -> None:
    many = pa.table({"point_mjd": pa.array([[61000.0 + i] * 1000 for i in range(100)], pa.large_list(pa.float64()))})
    (alone,) = pack_rows(many, [7])
    assert len(alone) < 2000
    assert unpack_table(content_of(alone)).equals(many.slice(7, 1))


def test_no_rows_are_no_bytes() -> None:
    assert pack_rows(TABLE, []) == pack_rows(TABLE.slice(0, 0), []) == []


def test_what_was_stored_by_a_writer_of_streams_is_read() -> None:
    """The databases of users hold these."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream, pa.ipc.new_stream(stream, TABLE.schema) as writer:
        writer.write_table(TABLE)
    assert unpack_table(sink.getvalue().to_pybytes()).equals(TABLE)


@pytest.mark.parametrize("older", range(3))
def test_those_of_an_earlier_version_are_read_beside_others(older: int) -> None:
    """A column that came later is unknown in them, wherever they stand."""
    whole = TABLE.append_column("first_seen", pa.array([61000.0, 61001.0, 61002.0]))
    packed = [pack_rows(TABLE if row == older else whole, [row])[0] for row in range(3)]
    wanted = whole.to_pylist()
    wanted[older]["first_seen"] = None
    assert unpack_tables(map(content_of, packed)).select(whole.column_names).to_pylist() == wanted
