"""What a file imports, read without parsing it, and where that is in the repository."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field

_SCRIPT = re.compile(
    rb"""(?:\bfrom\s*|\brequire\s*\(\s*|\bimport\s*\(?\s*)(['"])((?:\.|@/|~/|\#/|src/)[^'"\n]*|[.@~])\1"""
)
_PYTHON = re.compile(
    rb"^[ \t]*(?:from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#;]+)|import[ \t]+([^\n#;]+))", re.MULTILINE
)
_RUBY = re.compile(rb"^[ \t]*require_relative[ \t(]+['\"]([^'\"\n#]+)['\"]", re.MULTILINE)
_RUBY_CONSTANT = re.compile(rb"(?<![\w:.'\"@$])([A-Z]\w*(?:::[A-Z]\w*)*)")
_GO = re.compile(rb'^[ \t]*(?:import[ \t]+)?(?:([\w.]+)[ \t]+)?"([\w./~-]+)"', re.MULTILINE)
_GO_MODULE = re.compile(rb"^module[ \t]+(\S+)", re.MULTILINE)

_SCRIPT_ENDINGS = (".ts", ".tsx", ".js", ".jsx", ".mts", ".cts", ".mjs", ".cjs")
_INDEXES = tuple(f"/index{ending}" for ending in (".ts", ".tsx", ".js", ".jsx", ".mjs"))
_RUBY_FOLDERS = (
    "app/services",
    "app/lib",
    "lib",
    "app/models",
    "app/helpers",
    "app/jobs",
    "app/controllers/concerns",
    "app/models/concerns",
    "app",
)
"""Where Rails looks for a constant that nobody required."""
_RUBY_BUILT_IN = re.compile(
    r"^(?:String|Integer|Float|Array|Hash|Time|Date|DateTime|File|Dir|JSON|YAML|Rails"
    r"|ActiveRecord|ApplicationRecord|Struct|Set|Kernel|Process|Logger|ENV|StandardError"
    r"|ArgumentError|PostHog|ActiveJob|ApplicationJob|ApplicationController)(?:::|$)"
)


def imported(language: str, text: bytes) -> tuple[str, ...]:
    """Specifiers of imports that may lead to files of this repository, in the form that `Layout.resolve` takes."""
    if language == "python":
        return _python_imports(text)
    if language == "go":
        return (".", *(f"{m[2].decode()}" for m in _GO.finditer(text[: _end_of_go_imports(text)])))
    if language == "ruby":
        required = [f"./{m[1].decode('utf-8', 'replace')}" for m in _RUBY.finditer(text)]
        constants = dict.fromkeys(m[1].decode() for m in _RUBY_CONSTANT.finditer(text))
        return (*required, *(name for name in constants if not _RUBY_BUILT_IN.match(name)))
    return tuple(dict.fromkeys(m[2].decode("utf-8", "replace") for m in _SCRIPT.finditer(text)))


def _python_imports(text: bytes) -> tuple[str, ...]:
    """`package.module` and `..module`; a name imported from a package may be a module as well."""
    found: dict[str, None] = {}
    for match in _PYTHON.finditer(text):
        package, names, modules = (group.decode("utf-8", "replace") if group else "" for group in match.groups())
        if modules:
            found.update(dict.fromkeys(name.split(" as ")[0].strip() for name in modules.split(",")))
            continue
        found[package] = None
        for name in re.sub(r"[()\\\s]+|#[^\n]*", " ", names).split(","):
            if first := name.strip().split(" ")[0]:
                found[f"{package}{first}" if package.endswith(".") else f"{package}.{first}"] = None
    return tuple(found)


def _end_of_go_imports(text: bytes) -> int:
    """Imports come before everything else."""
    ends = [at for word in (b"\nfunc ", b"\ntype ", b"\nvar ", b"\nconst ") if (at := text.find(word)) >= 0]
    return min(ends, default=len(text))


@dataclass(slots=True)
class Layout:
    """The files of a repository as imports see them."""

    exists: Callable[[str], bool]
    listing: Callable[[str], list[str]]
    text: Callable[[str], bytes | None]
    _found: dict[tuple[str, str, str], tuple[str, ...]] = field(default_factory=dict)
    _go_modules: dict[str, tuple[str, str]] = field(default_factory=dict)

    def resolve(self, language: str, path: str, spec: str) -> tuple[str, ...]:
        """The files that a specifier leads to; () outside of the repository."""
        folder = posixpath.dirname(path)
        key = (language, folder, spec)
        if key not in self._found:
            self._found[key] = self._resolve(language, folder, spec)
        return self._found[key]

    def _resolve(self, language: str, folder: str, spec: str) -> tuple[str, ...]:
        if language == "python":
            found = self._python(folder, spec)
        elif language == "go":
            return tuple(self.go_files(folder if spec == "." else self.go_folder(folder, spec)))
        elif language == "ruby":
            found = self._ruby(folder, spec)
        else:
            found = self._script(folder, spec)
        return (found,) if found else ()

    def _first(self, candidates: list[str]) -> str:
        return next((path for path in candidates if not path.startswith("../") and self.exists(path)), "")

    def _script(self, folder: str, spec: str) -> str:
        bases = []
        if spec.startswith("."):
            bases = [posixpath.normpath(posixpath.join(folder, spec))]
        elif spec[:2] in ("@/", "~/", "#/"):
            bases = [*_sources(folder, spec[2:]), spec[2:]]
        elif spec.startswith("src/"):
            bases = [*_sources(folder, spec[4:]), spec]
        candidates = []
        for base in bases:
            base = "" if base == "." else base
            stem, ending = posixpath.splitext(base)
            if ending in _SCRIPT_ENDINGS:
                candidates.append(base)
                # TypeScript is imported by the name of what it becomes.
                candidates += [stem + other for other in _SCRIPT_ENDINGS if ending in (".js", ".jsx", ".mjs", ".cjs")]
            candidates += [base + other for other in _SCRIPT_ENDINGS] if base else []
            candidates += [(base + other).lstrip("/") for other in _INDEXES]
        return self._first(candidates)

    def _python(self, folder: str, spec: str) -> str:
        dots = len(spec) - len(spec.lstrip("."))
        parts = [part for part in spec.strip(".").split(".") if part]
        if dots:
            base = posixpath.normpath(posixpath.join(folder, *[".."] * (dots - 1)))
            bases = ["" if base == "." else base]
        else:
            # The folder of sources may be any of those around the file, or `src`.
            around = folder.split("/") if folder else []
            bases = ["", "src", *("/".join(around[:count]) for count in range(len(around), 0, -1))]
        candidates = []
        for base in bases:
            place = posixpath.join(base, *parts)
            candidates += [f"{place}.py"] if parts else []
            candidates.append(posixpath.join(place, "__init__.py"))
        return self._first(candidates)

    def _ruby(self, folder: str, spec: str) -> str:
        if spec.startswith("./"):
            base = posixpath.normpath(posixpath.join(folder, spec))
            return self._first([base if base.endswith(".rb") else f"{base}.rb"])
        name = "/".join(_underscored(part) for part in spec.split("::"))
        outer = posixpath.dirname(name)
        found = self._first([f"{place}/{name}.rb" for place in _RUBY_FOLDERS])
        # `Analytics::EVENT` may be a constant in analytics.rb.
        return found or (self._first([f"{place}/{outer}.rb" for place in _RUBY_FOLDERS]) if outer else "")

    def go_files(self, folder: str | None) -> list[str]:
        if folder is None:
            return []
        return [path for path in self.listing(folder) if path.endswith(".go")]

    def go_folder(self, folder: str, package: str) -> str | None:
        """The folder of a package that belongs to the module around a folder."""
        outer, module = self._go_module(folder)
        if not module or not package.startswith(module + "/"):
            return None
        return posixpath.join(outer, package[len(module) + 1 :])

    def _go_module(self, folder: str) -> tuple[str, str]:
        """Folder and name of the module that a folder is in; no name for none."""
        if folder not in self._go_modules:
            path = posixpath.join(folder, "go.mod")
            match = _GO_MODULE.search(self.text(path) or b"") if self.exists(path) else None
            if match is not None:
                self._go_modules[folder] = (folder, match[1].decode("utf-8", "replace"))
            else:
                self._go_modules[folder] = self._go_module(posixpath.dirname(folder)) if folder else ("", "")
        return self._go_modules[folder]


def go_packages(layout: Layout, folder: str, text: bytes) -> dict[str, list[str]]:
    """Files of packages of this repository by the name that a Go file calls them."""
    found = {}
    for match in _GO.finditer(text[: _end_of_go_imports(text)]):
        package = match[2].decode()
        files = layout.go_files(layout.go_folder(folder, package))
        if files:
            found[match[1].decode() if match[1] else package.rsplit("/", 1)[-1]] = files
    return found


def _sources(folder: str, rest: str) -> list[str]:
    """`@/x` in each folder around that has sources of its own: `apps/web/src/x` before `src/x`."""
    around = folder.split("/") if folder else []
    places = []
    for count in range(len(around), -1, -1):
        outer = "/".join(around[:count])
        places.append(posixpath.join(outer, "src", rest))
        if outer and "src" not in around[:count]:
            places.append(posixpath.join(outer, rest))
    return places


def _underscored(name: str) -> str:
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z\d])([A-Z])", r"\1_\2", name).lower()
