"""The write layer's refusal: nothing here writes to a main checkout or removes what is not proven ours."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from posthog_code.adapters.git.places import Marker, Place, locate, read_marker, same_file
from posthog_code.domain.errors import NotFound, Refused


class WriteGuard:
    """Every function that writes to files, index or HEAD of a checkout asks here first.

    `is_local` says whether a checkout is the workspace of a local task: that one may be committed to by the person's
    wish, but it is never removed.
    """

    def __init__(self, is_local: Callable[[Path], bool] | None = None) -> None:
        self._is_local = is_local or (lambda _path: False)

    def writable(self, worktree: Path) -> Place:
        """The worktree's place. Raises NotFound, or Refused for a main checkout that no local task works in."""
        place = locate(worktree)
        if place is None:
            raise NotFound(f"The worktree {worktree} is not there.", "Restore the task to create it again.")
        if _is_main(place):
            if self._is_local(worktree):
                return place
            raise Refused(
                "This is the repository's main checkout, which is never written to.",
                "Work in the task's own worktree.",
                str(worktree),
            )
        return place

    def removable(self, repository: Path, worktree: Path, task_id: str) -> Place:
        """The place of a worktree that is proven to be this task's. Raises Refused otherwise."""
        self.outside_main(repository, worktree)
        place = locate(worktree)
        if place is None:
            raise NotFound(f"The worktree {worktree} is not there.", "It may have been moved or deleted already.")
        main = locate(repository)
        if main is None or not same_file(main.common_dir, place.common_dir):
            raise _refused(worktree, "It belongs to another repository.")
        if _is_main(place):
            raise _refused(worktree, "It is a main checkout.")
        marker = self.marker(place)
        if marker is None:
            raise _refused(worktree, "It has no mark of this app.")
        if marker.task_id != task_id:
            raise _refused(worktree, "Its mark names another task.")
        return place

    def outside_main(self, repository: Path, target: Path) -> None:
        """Raises Refused when `target` is the main checkout, lies around it, or is git's own directory."""
        place = locate(repository)
        real = Path(os.path.realpath(target))
        protected = [Path(os.path.realpath(repository))]
        if place:
            protected.append(place.common_dir)
            if place.common_dir.name == ".git":
                protected.append(place.common_dir.parent)
        for folder in protected:
            if same_file(folder, real) or any(same_file(parent, real) for parent in folder.parents):
                raise _refused(target, "It is, or contains, the repository's main checkout.")
        if place and any(same_file(parent, place.common_dir) for parent in (real, *real.parents)):
            raise _refused(target, "It lies in the repository's git directory.")

    def marker(self, place: Place) -> Marker | None:
        """The mark, if git's registration and the folder point at each other."""
        try:
            back = os.fsdecode((place.git_dir / "gitdir").read_bytes()).strip()
        except OSError:
            return None
        if not same_file(Path(back), place.top / ".git"):
            return None
        return read_marker(place.git_dir)


def _is_main(place: Place) -> bool:
    if not place.linked:
        return True
    common = place.common_dir
    return common.name == ".git" and same_file(common.parent, place.top)


def _refused(path: Path, why: str) -> Refused:
    return Refused(f"{path} was not touched. {why}", "Remove it by hand if you are sure that nothing in it is needed.")
