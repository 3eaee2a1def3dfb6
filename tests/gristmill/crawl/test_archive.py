import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gristmill.crawl.archive import record_starts, records


def everything(headers, length) -> bool:
    return True


def good(path: Path, start: int = 0, end: int | None = None) -> dict[str, int]:
    """Record id -> offset of the records that were read whole."""
    return {found.headers["warc-record-id"]: found.offset for found in records(path, start, end, everything) if found.block is not None}


def name(i: int) -> str:
    return f"<urn:uuid:00000000-0000-0000-0000-{i:012d}>"


@pytest.fixture(params=[True, False], ids=["gzip", "plain"])
def six(request, archive, page):
    """An archive of six pages."""
    made = archive(gzip=request.param)
    for i in range(6):
        made.response(f"http://a.example/{i}", page(f"page {i}"))
    return made


def test_offsets_and_lengths_tile_the_file(six, tmp_path: Path):
    path = six.write(tmp_path / "a.warc")
    found = list(records(path, keep=everything))
    assert [each.offset for each in found] == six.offsets
    assert [each.offset + each.length for each in found] == [*six.offsets[1:], len(six.data)]
    assert record_starts(path) == (six.offsets, True)
    assert all(b"HTTP/1.1 200 OK" in each.block and not each.error for each in found)


def test_a_range_holds_the_records_that_begin_in_it(six, tmp_path: Path):
    path = six.write(tmp_path / "a.warc")
    assert good(path, six.offsets[2], six.offsets[4]) == {name(i + 1): six.offsets[i] for i in (2, 3)}
    assert good(path, 0, 0) == {}


def test_what_is_not_kept_is_not_read(six, tmp_path: Path):
    found = list(records(six.write(tmp_path / "a.warc"), keep=lambda headers, length: headers["warc-target-uri"].endswith("3")))
    assert [each.block is not None for each in found] == [i == 3 for i in range(6)]
    assert all(each.content_length > 100 for each in found)


def test_a_damaged_member_costs_one_record(archive, page, tmp_path: Path):
    made = archive()
    for i in range(6):
        made.response(f"http://a.example/{i}", page(f"page {i}"))
    data = bytearray(made.data)
    middle = (made.offsets[2] + made.offsets[3]) // 2
    data[middle : middle + 20] = bytes(20)
    (tmp_path / "a.warc.gz").write_bytes(data)
    found = list(records(tmp_path / "a.warc.gz", keep=everything))
    assert [each.offset for each in found if each.block is None and each.error] == [made.offsets[2]]
    assert good(tmp_path / "a.warc.gz") == {name(i + 1): made.offsets[i] for i in (0, 1, 3, 4, 5)}


@pytest.mark.parametrize("cut", [3, 12, 60, 200])
def test_a_member_cut_off_at_the_end_is_reported(archive, page, tmp_path: Path, cut: int):
    made = archive().response("http://a.example/", page("a")).response("http://a.example/b", page("b"))
    (tmp_path / "a.warc.gz").write_bytes(made.data[: made.offsets[1] + cut])
    found = list(records(tmp_path / "a.warc.gz", keep=everything))
    assert [(each.offset, bool(each.error)) for each in found] == [(0, False), (made.offsets[1], True)]


def test_rubbish_between_records_is_reported_and_passed(six, archive, page, tmp_path: Path):
    made = archive().response("http://a.example/", page("a")).raw(b"rubbish" * 50 + b"\x1f\x8b\x08 no member")
    made.response("http://a.example/b", page("b"))
    path = made.write(tmp_path / "a.warc.gz")
    assert good(path) == {name(1): made.offsets[0], name(2): made.offsets[1]}
    assert [bool(each.error) for each in records(path, keep=everything)] == [False, True, False]


def test_zeros_after_the_last_record_are_padding(six, tmp_path: Path):
    six.raw(bytes(1_000))
    path = six.write(tmp_path / "a.warc")
    assert len(good(path)) == 6
    assert not any(each.error for each in records(path, keep=everything))


def test_a_wrong_content_length_in_a_plain_file(archive, page, tmp_path: Path):
    made = archive(gzip=False)
    for i in range(4):
        made.response(f"http://a.example/{i}", page(f"page {i}"))
    second = made.data[made.offsets[1] : made.offsets[2]]
    length = int(second.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    for wrong in (length - 30, length + 40):
        changed = second.replace(b"Content-Length: %d" % length, b"Content-Length: %d" % wrong, 1)
        data = made.data[: made.offsets[1]] + changed + made.data[made.offsets[2] :]
        (tmp_path / "a.warc").write_bytes(data)
        found = good(tmp_path / "a.warc")
        assert {name(1), name(4)} <= found.keys()
        assert any(each.error for each in records(tmp_path / "a.warc", keep=everything))


def test_members_that_hold_several_records_cannot_be_cut(archive, page, tmp_path: Path):
    plain = archive(gzip=False)
    for i in range(4):
        plain.response(f"http://a.example/{i}", page(f"page {i}"))
    (tmp_path / "one.warc.gz").write_bytes(gzip.compress(plain.data))
    starts, per_record = record_starts(tmp_path / "one.warc.gz")
    assert len(starts) == 4 and not per_record
    assert len(good(tmp_path / "one.warc.gz")) == 4


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"filedesc://x.arc 127.0.0.1 20260101 text/plain 10\n", gzip.compress(b"no warc", mtime=0), bytes(5_000)]
)
def test_what_is_no_archive_has_no_record(tmp_path: Path, data: bytes):
    (tmp_path / "x").write_bytes(data)
    assert record_starts(tmp_path / "x") == ([], True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_anywhere_costs_only_the_record_that_it_hits(data, archive, page, tmp_path: Path):
    made = archive()
    for i in range(6):
        made.response(f"http://a.example/{i}", page(f"page {i}"))
    ends = [*made.offsets[1:], len(made.data)]
    hit = data.draw(st.integers(0, 5))
    at = data.draw(st.integers(made.offsets[hit], ends[hit] - 1))
    junk = data.draw(st.binary(min_size=1, max_size=min(40, ends[hit] - at)))
    (tmp_path / "a.warc.gz").write_bytes(made.data[:at] + junk + made.data[at + len(junk) :])
    found = good(tmp_path / "a.warc.gz")
    assert {name(i + 1): made.offsets[i] for i in range(6) if i != hit}.items() <= found.items()
