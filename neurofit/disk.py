"""Files that appear whole or not at all, one process at a time, and a disk's troubles in words."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout

from neurofit.errors import RunDirectoryError, RunFailed

# Ends the name of a file that is being written.
HALF = ".half"
LOCK = ".lock"
# A temporary folder that is younger may not have been locked yet.
_YOUNG_S = 60
# What locking a file ends with where it is not possible; and writing one, where there is no more room for it or where
# something of another kind stands in its place.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_A_PLACE = (errno.ENOTDIR, errno.EISDIR, errno.EEXIST)


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A path beside a file, to be written; it becomes the file when all went well, and else is removed."""
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=HALF, dir=file.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            # on the disk before it has its name: else a power cut could leave an empty file that looks finished
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
            os.replace(temporary, file)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; the operating system lets go of it when the process ends, however that is.

    Raises
    ------
    RunDirectoryError
        If another process holds it, or its file system knows no locks.
    """
    lock = FileLock(folder / LOCK)
    with writing(folder / LOCK):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunDirectoryError(
                "another process is working on this run",
                where=folder,
                advice="Wait for it, or choose another output directory.",
            ) from None
        except (OSError, NotImplementedError) as error:
            if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
                raise
            raise RunDirectoryError(
                "this file system cannot lock files, so two processes could work on one run unawares",
                where=folder,
                found=str(error),
                advice="Choose a directory on a disk of this machine, and move it when the run has ended.",
            ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """A temporary folder, removed at its end; those that killed processes have left behind are removed before.

    Its owner holds a lock on a file in it, which tells the two apart.
    """
    _sweep(Path(tempfile.gettempdir()), prefix)
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        lock = FileLock(Path(name) / LOCK)
        # without a lock it is only not removed by others
        with suppress(OSError, NotImplementedError):
            lock.acquire(timeout=0)
        try:
            yield Path(name)
        finally:
            lock.release()


@cache
def _sweep(parent: Path, prefix: str) -> None:
    for lock in parent.glob(f"{prefix}*/{LOCK}"):
        # other people's, too young for its owner to have locked it, or in use
        with suppress(OSError, NotImplementedError, Timeout):
            if time.time() - lock.stat().st_mtime > _YOUNG_S:
                with FileLock(lock, timeout=0):
                    shutil.rmtree(lock.parent, ignore_errors=True)


@contextmanager
def writing(where: Path) -> Iterator[None]:
    """A full or forbidden disk, in words; what was finished stays."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise RunFailed(
                f"The disk is full: {where} could not be written ({error.strerror}). What was finished is kept; "
                "make room and run the same command again."
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise RunDirectoryError("this place cannot be written to", where=where, found=str(error)) from error
        if error.errno in _NOT_A_PLACE:
            raise RunDirectoryError(
                "a file stands where a directory should, or the other way round", where=where, found=str(error)
            ) from error
        raise RunFailed(
            f"{where} could not be written: {error}. What was finished is kept; run the same command again."
        ) from error
