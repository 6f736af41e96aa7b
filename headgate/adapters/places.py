"""Where files lie: a folder of this machine, or a bucket of any file system that Arrow knows.

    runs/lake                 a folder, below the base
    s3://bucket/lake          an S3-compatible store; gs:// and hdfs:// likewise

Addresses and keys of a store come from where its own tools take them (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID,
the role of the machine, …), or from the query of the address: ``?endpoint_override=host:9000&scheme=http``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit
from uuid import uuid4

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from headgate.errors import InputError

Write = Callable[[IO[bytes]], object]
"""Writes a file's content."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file or folder. As text it is what may be shown and kept: no keys, no query.

    Attributes
    ----------
    shown
        Path of a local file, else the address without user, password and query.
    path
        As its file system calls it.
    """

    shown: str
    path: str
    system: pafs.FileSystem = field(compare=False, repr=False)
    local: bool = True

    def __str__(self) -> str:
        return self.shown

    def __truediv__(self, name: str) -> Place:
        return Place(_under(self.shown, name), _under(self.path, name), self.system, self.local)

    def exists(self) -> bool:
        """Return whether a file or a folder with anything in it is there."""
        return bool(self._info().type != pafs.FileType.NotFound)

    def files(self, suffix: str) -> list[Place]:
        """Return the files right in this folder, by name; those with a leading dot are writers' own."""
        selector = pafs.FileSelector(self.path, allow_not_found=True)
        names = sorted(
            i.base_name for i in self.system.get_file_info(selector) if i.type == pafs.FileType.File
        )
        return [self / name for name in names if name.endswith(suffix) and not name.startswith(".")]

    def folders(self) -> list[Place]:
        """Return the folders right in this folder, by name."""
        selector = pafs.FileSelector(self.path, allow_not_found=True)
        infos = self.system.get_file_info(selector)
        return [
            self / name for name in sorted(i.base_name for i in infos if i.type == pafs.FileType.Directory)
        ]

    def dataset(self, kind: str = "parquet") -> ds.Dataset:
        """Return the rows of a file, or of all files in a folder."""
        return ds.dataset(self.path, filesystem=self.system, format=kind)

    def parquet(self) -> pq.ParquetFile:
        """Open a Parquet file."""
        return pq.ParquetFile(self.system.open_input_file(self.path))

    def read(self) -> bytes:
        """Return a file's content."""
        with self.system.open_input_stream(self.path) as file:
            content: bytes = file.read()
        return content

    def digest(self) -> str:
        """Return the sha256 of a file's bytes."""
        with self.system.open_input_stream(self.path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def remove(self) -> None:
        """Remove a file."""
        self.system.delete_file(self.path)

    def put_once(self, write: Write) -> None:
        """Put a whole file in place unless there is one.

        In a folder the second of two writers at once is refused, and what is there outlives a power cut. An
        object store puts an object whole or not at all but cannot refuse through Arrow: there, of two
        writers at the very same time the later one's stays, so let one process write a window.
        """
        if self.local:
            _link_once(write, Path(self.path))
        elif not self.exists():
            # To memory first: closing a stream after a fault would keep the half that was written.
            whole = pa.BufferOutputStream()
            write(whole)
            with self.system.open_output_stream(self.path) as file:
                file.write(whole.getvalue())

    def _info(self) -> Any:
        return self.system.get_file_info(self.path)


def place_of(where: str | Path, base: Path | None = None) -> Place:
    """Return the place that a path or an address means.

    Parameters
    ----------
    where
        A path, or an address with a scheme.
    base
        Folder that relative paths start from; None: the working directory. Addresses do not look at it.

    Raises
    ------
    InputError
        If Arrow knows no such file system, or the address is not complete.
    """
    text = str(where)
    if "://" not in text:
        path = str((base or Path()) / where)
        return Place(path, path, pafs.LocalFileSystem())
    shown = _shown(text)
    try:
        system, path = pafs.FileSystem.from_uri(text)
    except (pa.ArrowException, OSError, ValueError) as err:
        raise InputError(
            f"asked a folder or an address like s3://bucket/folder; found {shown}: {err}; correct it"
        ) from err
    if not path.strip("/"):
        raise InputError(f"asked an address with a bucket; found {shown}; write s3://bucket/folder")
    local = isinstance(system, pafs.LocalFileSystem)
    return Place(path if local else shown, path, system, local)


def _shown(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _under(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}"


def _link_once(write: Write, final: Path) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    part = final.with_name(f".{uuid4().hex}.part")  # readers of the folder skip names with a dot
    try:
        with part.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        # link, not rename: it refuses where another writer was first, who is then the one to keep.
        with contextlib.suppress(FileExistsError):
            os.link(part, final)
    finally:
        part.unlink(missing_ok=True)
    folder = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
