"""What a disk's refusal means: full, over a quota, read-only or another user's; with the folder, the space left and the way out.

Every library says it in its own words (obstore, Polars, LanceDB, safetensors, NumPy and SQLite were asked on a full and on a
read-only disk, and under a limit of file size), and some do not name the file.
"""

from __future__ import annotations

import errno
import getpass
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gristmill.errors import GristmillError, LakeError, chain

FULL = {errno.ENOSPC, errno.EDQUOT}
REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM}
SAID_FULL = re.compile(r"no space left|disk is full|StorageFull|disk quota exceeded|requested and \d+ written|os error 28\b", re.I)
SAID_TOO_LARGE = re.compile(r"file too large|FileTooLarge|os error 27\b", re.I)
SAID_REFUSED = re.compile(r"read-only file ?system|readonly database|permission denied|operation not permitted|os error (30|13|1)\b", re.I)
SAID_EITHER = re.compile(r"disk I/O error|unable to open database file", re.I)  # SQLite's words for both
NEARLY_NOTHING = 1 << 20  # bytes free under which a disk that refuses is taken to be full


def explained(error: BaseException, folders: Sequence[str | Path], writing: str = "") -> LakeError | None:
    """What to tell of an error by which a local disk refused; None when that is not what it is, or when it is told already.

    `folders` are what may have been written to, for errors that name no file; `writing` what was being made.
    """
    if isinstance(error, GristmillError):
        return None
    for each in chain(error):
        said, number = str(each), getattr(each, "errno", None)
        named = getattr(each, "filename", None)
        path = Path(os.fsdecode(named)) if isinstance(named, str | bytes) else Path()
        # a source that cannot be read is another matter
        places = [path] if any(Path(folder) in (path, *path.parents) for folder in folders) else []
        places += [Path(folder) for folder in folders]
        either = bool(SAID_EITHER.search(said))
        if number == errno.EFBIG or SAID_TOO_LARGE.search(said):
            return too_large(places[0], writing)
        if number in FULL or SAID_FULL.search(said) or (either and any(_free(place) < NEARLY_NOTHING for place in places)):
            full_one = next((place for place in places if _free(place) < NEARLY_NOTHING), None)
            if full_one is None and path.parts and path not in places:  # elsewhere: shared memory, another mount
                full_one = path
            full_one = full_one or _full_elsewhere()
            return full(full_one or places[0], writing)
        if number in REFUSED or SAID_REFUSED.search(said) or (either and not all(is_writable(place) for place in places)):
            refused = next((place for place in places if not is_writable(place)), None)
            return None if refused is None else not_writable(refused, writing)
    return None


def _full_elsewhere() -> Path | None:
    """A full disk of this machine that none of the folders lies on, as shared memory (`/dev/shm`) is where a library speaks of no
    file; those that are full by nature, read-only ones, do not count."""
    try:
        mounted = Path("/proc/mounts").read_text().splitlines()
    except OSError:  # not Linux
        return None
    for line in mounted:
        _, folder, _, options, *_ = line.split(" ")
        place = Path(re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), folder))  # a space is written as \040
        if "ro" in options.split(","):
            continue
        try:
            usage = shutil.disk_usage(place)
        except OSError:  # of another user, or gone
            continue
        if usage.free < NEARLY_NOTHING < usage.total:
            return place
    return None


def full(place: Path, writing: str = "") -> LakeError:
    usage = shutil.disk_usage(_existing(place))
    return LakeError(
        f"no space left on the disk{_for(writing)}: {_size(usage.free)} of {_size(usage.total)} free",
        where=str(place),
        fix="Free some space there, then run the same again: what was made stays, and nothing was half-written.",
    )


def too_large(place: Path, writing: str = "") -> LakeError:
    return LakeError(
        f"larger than this process, or the file system, may write{_for(writing)}",
        where=str(place),
        fix="Look at `ulimit -f`, then run the same again: what was made stays, and nothing was half-written.",
    )


def not_writable(place: Path, writing: str = "") -> LakeError:
    return LakeError(
        f"cannot be written by {whoever()}{_for(writing)}: {_why_not(_existing(place))}",
        where=str(place),
        fix="Make it writable for this user, or name another folder with GRISTMILL_HOME or GRISTMILL_LAKE. "
        "`gristmill why`, `plan`, `diff`, `audit` and `builds list` only read it, and work as it is.",
    )


def check_writable(folder: str | Path) -> None:
    """LakeError when the folder, or where it would be made, takes no file of this user."""
    if not is_writable(Path(folder)):
        raise not_writable(Path(folder))


def is_writable(place: Path) -> bool:
    """Tried, not asked: permission bits say nothing of root, of a mount's options or of an access list. A full disk is writable."""
    folder = _existing(place)
    folder = folder if os.path.isdir(folder) else folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError as error:
        return error.errno in FULL


def whoever() -> str:
    """The user of this process, also where no account has its id."""
    try:
        return f"the user {getpass.getuser()!r} (uid {os.geteuid()})"
    except (KeyError, OSError):
        return f"the user with uid {os.geteuid()}"


def _why_not(folder: Path) -> str:
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return "its file system is mounted read-only"
    about = folder.stat()
    return f"it belongs to uid {about.st_uid}, mode {about.st_mode & 0o7777:04o}"


def _for(writing: str) -> str:
    return f" for {writing}" if writing else ""


def _existing(place: Path) -> Path:
    """The place, or the nearest folder above it that is there."""
    return next(each for each in (place, *place.parents) if os.path.exists(each))  # `Path.exists` raises in a folder of another user


def _free(place: Path) -> int:
    return shutil.disk_usage(_existing(place)).free


def _size(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
