"""The reader of code: files in slices off the loop's thread, results kept by content."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from posthog_code.adapters.code.entries import Entry, all_entries
from posthog_code.adapters.code.entries_go import go_entries
from posthog_code.adapters.code.entries_python import python_entries
from posthog_code.adapters.code.entries_ruby import ruby_entries
from posthog_code.adapters.code.entries_script import script_entries
from posthog_code.adapters.code.files import language_of
from posthog_code.adapters.code.go_calls import GoModule
from posthog_code.adapters.code.languages import Trees, unreadable
from posthog_code.adapters.code.module import Module
from posthog_code.adapters.code.project import LEVELS, Project
from posthog_code.adapters.code.python_calls import PythonModule
from posthog_code.adapters.code.ruby_calls import RubyModule
from posthog_code.adapters.code.script_calls import ScriptModule
from posthog_code.domain.code_use import FileUses

log = logging.getLogger(__name__)

_SLICE_S = 0.03
"""After so long a reading may be cancelled; the interpreter's lock is shared with the window all the while."""
_KEPT_RESULTS = 16_384
_KEPT_IMPORTS = 16_384

_Entries = Callable[[Module], Iterable[Entry]]
_FAMILIES: dict[str, tuple[type[Module], _Entries]] = {
    "javascript": (ScriptModule, script_entries),
    "typescript": (ScriptModule, script_entries),
    "tsx": (ScriptModule, script_entries),
    "python": (PythonModule, python_entries),
    "go": (GoModule, go_entries),
    "ruby": (RubyModule, ruby_entries),
}


def _make(path: str, language: str, text: bytes, project: Project) -> Module:
    return _FAMILIES[language][0](path, language, text, project)


class TreeSitterReader:
    """Implements `ports.code.CodeReader`. May be used from several coroutines; files are read one after another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trees = Trees()
        self._specs: dict[bytes, tuple[str, ...]] = {}
        self._results: OrderedDict[tuple[str, bytes, bool], FileUses] = OrderedDict()

    def language_of(self, path: str) -> str:
        return language_of(path)

    def read_text(self, path: str, text: bytes) -> FileUses:
        with self._lock:
            return self._file(self._project(None, {path: text}), path, True)

    async def read(
        self, root: Path, paths: Iterable[str], texts: Mapping[str, bytes] | None = None
    ) -> Mapping[str, FileUses]:
        project = self._project(root, texts)
        return await self._in_slices(project, paths, True)

    async def read_all(self, root: Path, paths: Iterable[str]) -> Mapping[str, FileUses]:
        listed = list(paths)
        project = self._project(root, None, listed)
        return await self._in_slices(project, listed, False)

    def _project(
        self, root: Path | None, texts: Mapping[str, bytes] | None, listed: Iterable[str] | None = None
    ) -> Project:
        return Project(root, _make, texts, listed, self._specs, self._trees)

    async def _in_slices(self, project: Project, paths: Iterable[str], with_entries: bool) -> dict[str, FileUses]:
        found: dict[str, FileUses] = {}
        waiting = list(dict.fromkeys(paths))
        waiting.reverse()
        while waiting:
            await asyncio.to_thread(self._slice, project, waiting, with_entries, found)
        return found

    def _slice(self, project: Project, waiting: list[str], with_entries: bool, found: dict[str, FileUses]) -> None:
        with self._lock:
            end = time.monotonic() + _SLICE_S
            while waiting:
                path = waiting.pop()
                found[path] = self._file(project, path, with_entries)
                if time.monotonic() >= end:
                    break
                # Whoever waits for the interpreter's lock, the window first of all, gets it between files.
                time.sleep(0)
            if len(self._specs) > _KEPT_IMPORTS:
                self._specs.clear()

    def _file(self, project: Project, path: str, with_entries: bool) -> FileUses:
        """What one file holds; whatever goes wrong in it is its `problem`."""
        language = language_of(path)
        if not language:
            return FileUses(path)
        try:
            text = project.text(path)
            if text is None:
                return FileUses(path, language, problem=project.problems.get(path, "not there"))
            if problem := unreadable(text):
                return FileUses(path, language, problem=problem)
            key = (path, project.fingerprint(path), with_entries)
            if key in self._results:
                self._results.move_to_end(key)
                return self._results[key]
            found = self._results[key] = _read(project, path, language, with_entries)
            if len(self._results) > _KEPT_RESULTS:
                self._results.popitem(last=False)
            return found
        except RecursionError:
            return FileUses(path, language, problem="nested too deeply")
        except Exception:
            # One odd file must not take the others with it.
            log.exception("reading %s failed", path)
            return FileUses(path, language, problem="could not be read")


def _read(project: Project, path: str, language: str, with_entries: bool) -> FileUses:
    module = project.module(path)
    assert module is not None
    if project.matters(path):
        module.analyse(LEVELS)
    entries = all_entries(module, _FAMILIES[language][1]) if with_entries else ()
    if with_entries:
        _ = module.root  # for its problem, whatever was asked of it
    wrappers = tuple(sorted(module.wrappers, key=lambda wrapper: (wrapper.line, wrapper.name, wrapper.kind)))
    return FileUses(path, language, module.code_uses(), entries, wrappers, module.problem)
