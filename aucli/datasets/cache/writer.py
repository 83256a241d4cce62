"""Faces ready for training, on disk: the folder of a cache, and how it is written.

A cache is a folder::

    manifest.json     what decides its content, the digest of that, and the version of aucli that began it
    shards/*.arrow    one file per sequence, whole or not there: see `aucli.datasets.cache.shards`
    index.json        the shards in order; written last, so a cache without it is unfinished

Pictures keep a border around the face: training cuts its jittered crops by the code of `aucli.faces.alignment` and
`aucli.training.augment`, as if the picture were the frame. `aucli.datasets.cache.reader` reads it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.ipc

from aucli import __version__
from aucli.datasets.cache.shards import (
    METADATA_KEY,
    ShardWriter,
    dumps,
    read_shard,
    sequence_to_json,
    shard_schema,
)
from aucli.datasets.label_values import SplitName
from aucli.datasets.samples import SequenceInfo
from aucli.errors import DatasetError
from aucli.runtime.files import LOCK_NAME, is_temporary, whole_or_nothing

FORMAT: Final = 1
"""Raised when older caches can no longer be read."""
MANIFEST_NAME: Final = "manifest.json"
INDEX_NAME: Final = "index.json"
REPORT_NAME: Final = "report.json"
SHARDS_NAME: Final = "shards"

ANEW: Final = "prepare the cache anew, over what is there: aucli prepare"


def content_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of everything that decides what a cache holds."""
    return hashlib.sha256(json.dumps({"format": FORMAT, **content}, sort_keys=True).encode()).hexdigest()


def indexed_shards(folder: Path, index: Mapping[str, Any]) -> list[tuple[Path, int]]:
    """Path and size in bytes of every shard in a cache's index."""
    return [(folder / SHARDS_NAME / shard["file"], int(shard["bytes"])) for shard in index["shards"]]


def is_whole(path: Path, n_bytes: int) -> bool:
    """Whether a shard is there in full length."""
    return path.is_file() and path.stat().st_size == n_bytes


class CacheWriter:
    """Writes a cache, or goes on with one.

    Args:
        folder: new, empty, or a cache of the same content.
        aus: action units, in the order of the labels' columns.
        content: everything that decides what the cache holds, as JSON values.
        about: what a reader may like to know and that decides nothing, e.g. the folder the data came from.
        overwrite: begin anew, whatever the cache in this folder holds.

    Raises:
        DatasetError: if the folder holds a cache of another content, or something else.
    """

    def __init__(
        self,
        folder: Path,
        *,
        aus: tuple[int, ...],
        content: Mapping[str, Any],
        about: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> None:
        self.folder, self.aus, self.digest = folder, aus, content_digest(content)
        manifest = manifest_of(folder)
        if manifest is not None and not overwrite:
            _require_same(folder, manifest, content)
        shards = folder / SHARDS_NAME
        # Without its index the cache counts as unfinished from here on.
        (folder / INDEX_NAME).unlink(missing_ok=True)
        shards.mkdir(parents=True, exist_ok=True)
        for path in shards.iterdir():
            if overwrite or is_temporary(path):
                path.unlink()
        if manifest is None or overwrite:
            described = {"format": FORMAT, "digest": self.digest, "aucli": __version__, "aus": list(aus)}
            write_json(folder / MANIFEST_NAME, {**described, "content": dict(content), "about": dict(about or {})})
        elif manifest["aus"] != list(aus):  # of a data set that grows
            write_json(folder / MANIFEST_NAME, {**manifest, "aus": list(aus)})

    def path_of(self, key: str) -> Path:
        """Where the shard of this key lies: a readable name, kept apart by a piece of digest."""
        readable = re.sub(r"[^A-Za-z0-9._-]+", "_", key)[-80:]
        return self.folder / SHARDS_NAME / f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:8]}.arrow"

    def record_of(self, key: str, fingerprint: str) -> dict[str, Any] | None:
        """What was noted with a shard that an earlier run wrote from the same input; None where there is none."""
        path = self.path_of(key)
        if not path.is_file():
            return None
        try:
            shard = read_shard(path)
        except DatasetError:
            return None
        same = (shard.head["digest"], shard.head["fingerprint"]) == (self.digest, fingerprint)
        return shard.record if same else None

    @contextmanager
    def shard(self, key: str, sequences: Sequence[SequenceInfo], fingerprint: str) -> Iterator[ShardWriter]:
        """Write one shard, whole or not at all: leave the block without an exception, and it is there."""
        path = self.path_of(key)
        head = {
            "digest": self.digest,
            "fingerprint": fingerprint,
            "sequences": [sequence_to_json(sequence) for sequence in sequences],
        }
        schema = shard_schema(self.aus).with_metadata({METADATA_KEY: dumps(head)})
        with whole_or_nothing(path) as temporary, temporary.open("wb") as file, pa.ipc.new_file(file, schema) as sink:
            writer = ShardWriter(sink, schema)
            yield writer
            writer.end()

    def finish(
        self, keys: Sequence[str], failures: Mapping[str, str], *, splits: Mapping[str, SplitName | None] | None = None
    ) -> None:
        """Write the index: the cache can now be read.

        Args:
            keys: all shards, in the order in which they will be read; shards of other keys are removed.
            splits: the owners' split by key, which changes no picture; of other keys it is what the shards say.
            failures: sequence -> one line, for those that could not be written.
        """
        paths = [self.path_of(key) for key in keys]
        for stale in set((self.folder / SHARDS_NAME).iterdir()) - set(paths):
            stale.unlink()
        shards = [{"file": path.name, "bytes": path.stat().st_size} for path in paths]
        index = {"digest": self.digest, "shards": shards, "failures": dict(failures), "splits": dict(splits or {})}
        write_json(self.folder / INDEX_NAME, index)


def failures_of(folder: Path) -> dict[str, str]:
    """Sequences of a finished cache that could not be read when it was made, or not wholly: one line each."""
    return dict(read_json(folder / INDEX_NAME)["failures"])


def require_options(folder: Path, options: Mapping[str, Any]) -> None:
    """Refuse a cache that was made with other options of its data set.

    Raises:
        DatasetError: naming the first that differs.
    """
    manifest = manifest_of(folder)
    held = {} if manifest is None else manifest["content"].get("options") or {}
    for name, value in json.loads(dumps(options)).items():
        if held.get(name) != value:
            raise DatasetError(
                f"{folder} was made with {name}={_short(held.get(name))}, not {_short(value)}; prepare another cache"
            )


def manifest_of(folder: Path) -> dict[str, Any] | None:
    """The manifest of a cache; None for a folder that does not exist or is empty.

    Raises:
        DatasetError: if the folder holds something else.
    """
    path = folder / MANIFEST_NAME
    if path.is_file():
        return read_json(path)
    if folder.exists() and (not folder.is_dir() or _foreign(folder)):
        raise DatasetError(f"{folder} holds something else than a cache of faces; choose another `cache`")
    return None


def _foreign(folder: Path) -> bool:
    """Whether a folder without manifest holds anything: a kill may leave an empty folder, or half a manifest."""
    return any(entry.name not in (SHARDS_NAME, LOCK_NAME) and not is_temporary(entry) for entry in folder.iterdir())


def require_format(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Refuse a cache of another format.

    Raises:
        DatasetError: naming both formats and the remedy.
    """
    if manifest.get("format") != FORMAT:
        raise DatasetError(
            f"{folder} has cache format {manifest.get('format')!r}, and this aucli reads {FORMAT}; prepare it anew, "
            "over what is there or into another `cache`: aucli prepare"
        )


def _require_same(folder: Path, manifest: Mapping[str, Any], content: Mapping[str, Any]) -> None:
    require_format(folder, manifest)
    if manifest["digest"] == content_digest(content):
        return
    now, was = _flat(json.loads(dumps(content))), _flat(manifest["content"])
    changed = [name for name in {**was, **now} if was.get(name) != now.get(name)]
    before, after = (", ".join(f"{name}={_short(found.get(name))}" for name in changed) for found in (was, now))
    raise DatasetError(
        f"{folder} holds a cache made with {before}, not {after}; choose another `cache`, or replace it "
        "with `overwrite`"
    )


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a data set beside all else, so that a message names the one that differs."""
    inside = content.get("options")
    return {**content, **inside, "options": None} if isinstance(inside, dict) else dict(content)


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 60 else f"{text[:57]}..."


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        DatasetError: if the file cannot be read, or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{path} is damaged ({error}); prepare the cache anew, over what is there: aucli prepare"
        ) from error
    if not isinstance(value, dict):
        raise DatasetError(f"{path} is damaged; {ANEW}")
    return value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    with whole_or_nothing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
