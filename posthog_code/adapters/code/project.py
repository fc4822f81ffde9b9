"""The files that are read together: loaded once, parsed when something asks, tied by their imports."""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

from posthog_code.adapters.code.files import language_of
from posthog_code.adapters.code.imports import Layout, go_packages, imported
from posthog_code.adapters.code.languages import LARGEST, Parsed, Trees
from posthog_code.adapters.code.module import Module
from posthog_code.adapters.code.vocabulary import mentions

FOLLOWED = 64
"""Imports that are followed for one file."""
_KEPT_TEXT = 32_000_000
_KEPT_MODULES = 1_000_000
"""Bytes of text that one reading holds: as text, and with a tree."""
LEVELS = 5
"""Files between a call and the library: wrappers, and the index files that pass them on."""

Make = Callable[[str, str, bytes, "Project"], Module]


def digest(text: bytes) -> bytes:
    return blake2b(text, digest_size=16).digest()


class Project:
    """A folder as it is during one reading. `root` None: there are the given texts only."""

    def __init__(
        self,
        root: Path | None,
        make: Make,
        texts: Mapping[str, bytes] | None = None,
        listed: Iterable[str] | None = None,
        specs: dict[bytes, tuple[str, ...]] | None = None,
        trees: Trees | None = None,
    ) -> None:
        """`listed`: all files there are, when somebody knows. Imports and trees, by content, outlive a reading."""
        self._root = root
        self._real = os.path.realpath(root) if root is not None else ""
        self._make = make
        self._texts = dict(texts or {})
        self._known = None if listed is None else {*listed, *self._texts}
        self._specs = {} if specs is None else specs
        self._trees = trees or Trees()
        self._loaded: dict[str, bytes | None] = {}
        self._loaded_size = 0
        self._digests: dict[str, bytes] = {}
        self._real_folders: dict[str, str] = {}
        self._folders: dict[str, set[str]] = {}
        self._modules: OrderedDict[str, Module] = OrderedDict()
        self._modules_size = 0
        self._tokens: dict[str, tuple[int, set[str]]] = {}
        self._imports: dict[str, tuple[str, ...]] = {}
        self._matters: dict[str, bool] = {}
        self.problems: dict[str, str] = {}
        self.layout = Layout(self.exists, self.listing, self.text)

    # Files

    def exists(self, path: str) -> bool:
        """Whether there is a file that may be read."""
        if path in self._texts:
            return True
        if self._known is not None and language_of(path):
            return path in self._known
        folder, name = os.path.split(path)
        return name in self._names(folder)

    def _names(self, folder: str) -> set[str]:
        """The files and links in a folder: one look instead of one for each import."""
        if self._root is None:
            return set()
        if folder not in self._folders:
            try:
                with os.scandir(os.path.join(self._root, folder)) as entries:
                    found = {entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)}
            except OSError:
                # No such folder: nothing is in it.
                found = set()
            self._folders[folder] = found
        return self._folders[folder]

    def listing(self, folder: str) -> list[str]:
        """Paths of the files in a folder."""
        given = [path for path in self._texts if os.path.dirname(path) == folder]
        prefix = f"{folder}/" if folder else ""
        return sorted({*given, *(prefix + name for name in self._names(folder))})

    def text(self, path: str) -> bytes | None:
        """What a file holds; None, with a note in `problems`, for what cannot or may not be read."""
        if path in self._texts:
            return self._texts[path]
        if path not in self._loaded:
            text = self._load(path)
            self._loaded_size += len(text or b"")
            if self._loaded_size > _KEPT_TEXT:
                self._loaded.clear()
                self._loaded_size = len(text or b"")
            self._loaded[path] = text
        return self._loaded[path]

    def digest(self, path: str) -> bytes:
        if path not in self._digests:
            self._digests[path] = digest(self.text(path) or b"")
        return self._digests[path]

    def parse(self, path: str, language: str, text: bytes) -> Parsed:
        return self._trees.parse(language, self.digest(path), text)

    def _load(self, path: str) -> bytes | None:
        if self._root is None:
            return None
        place = os.path.join(self._root, path)
        try:
            if not self._inside(place):
                self.problems[path] = "outside of the folder"
                return None
            found = os.stat(place)
            if not stat.S_ISREG(found.st_mode):
                # A pipe would be waited for.
                self.problems[path] = "not a file"
                return None
            if found.st_size > LARGEST:
                self.problems[path] = f"larger than {LARGEST // 1_000_000} MB"
                return None
            with open(place, "rb") as file:
                return file.read(LARGEST + 1)
        except (OSError, ValueError) as error:
            self.problems[path] = f"cannot be read: {getattr(error, 'strerror', None) or error}"
            return None

    def _inside(self, place: str) -> bool:
        """Links that lead out of the folder are not followed."""
        folder, name = os.path.split(place)
        if folder not in self._real_folders:
            self._real_folders[folder] = os.path.realpath(folder)
        real = os.path.join(self._real_folders[folder], name)
        if name in ("", ".", "..") or os.path.islink(real):
            real = os.path.realpath(place)
        return real.startswith(self._real + os.sep)

    # Modules

    def module(self, path: str) -> Module | None:
        """None for what is not read."""
        if path in self._modules:
            self._modules.move_to_end(path)
            return self._modules[path]
        language = language_of(path)
        text = self.text(path) if language else None
        if text is None:
            return None
        module = self._modules[path] = self._make(path, language, text, self)
        self._modules_size += len(text)
        while self._modules_size > _KEPT_MODULES and len(self._modules) > 1:
            oldest, dropped = self._modules.popitem(last=False)
            if dropped.running:
                self._modules[oldest] = dropped
                break
            self._modules_size -= len(dropped.text)
        return module

    def tokens(self, path: str, level: int) -> set[str]:
        """Names by which wrappers of a file are called, looked up once."""
        known = self._tokens.get(path)
        if known is not None and known[0] >= level:
            return known[1]
        module = self.module(path)
        found = module.tokens(level) if module is not None else set()
        if module is None or not module.running:
            self._tokens[path] = (level, found)
        return found

    def imports(self, path: str) -> tuple[str, ...]:
        """The files of this repository that a file imports."""
        if path not in self._imports:
            self._imports[path] = self._resolve(path)
        return self._imports[path]

    def _resolve(self, path: str) -> tuple[str, ...]:
        language = language_of(path)
        text = self.text(path) if language else None
        if not text or len(text) > LARGEST:
            return ()
        key = language.encode() + self.digest(path)
        if key not in self._specs:
            self._specs[key] = imported(language, text)
        found: dict[str, None] = {}
        for spec in self._specs[key]:
            for target in self.layout.resolve(language, path, spec):
                if target != path:
                    found[target] = None
            if len(found) >= FOLLOWED:
                break
        return tuple(found)[:FOLLOWED]

    def matters(self, path: str) -> bool:
        """Whether a file, or one that it imports, mentions PostHog."""
        if path in self._matters:
            return self._matters[path]
        seen, todo = {path}, [path]
        for _ in range(LEVELS):
            following: list[str] = []
            for current in todo:
                if mentions(self.text(current) or b"") or self._matters.get(current):
                    self._matters[path] = True
                    return True
                if self._matters.get(current) is False:
                    continue
                for target in self.imports(current):
                    if target not in seen and len(seen) <= FOLLOWED:
                        seen.add(target)
                        following.append(target)
            todo = following
        self._matters[path] = False
        return False

    def reach(self, path: str) -> list[str]:
        """The files that decide what is found in one: itself, and what it imports, directly and through others."""
        seen, todo = [path], [path]
        for _ in range(LEVELS):
            following = []
            for current in todo:
                for target in self.imports(current):
                    if target not in seen and len(seen) <= FOLLOWED:
                        seen.append(target)
                        following.append(target)
            todo = following
        return seen

    def fingerprint(self, path: str) -> bytes:
        """Of everything that decides what is found in a file."""
        if not self.matters(path):
            return self.digest(path)
        reached = sorted(self.reach(path))
        return digest(b"".join(name.encode("utf-8", "surrogateescape") + self.digest(name) for name in reached))

    def go_packages(self, path: str) -> dict[str, list[str]]:
        """Files of the packages of this repository that a Go file imports, by the name it calls them."""
        return go_packages(self.layout, os.path.dirname(path), self.text(path) or b"")
