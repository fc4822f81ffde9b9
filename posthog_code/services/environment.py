"""What a task's processes find in their environment."""

from __future__ import annotations

import os
from collections.abc import Mapping

from posthog_code.domain.task import Repository, Task

_FROZEN_LEFTOVERS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "QT_PLUGIN_PATH", "QML2_IMPORT_PATH")
_NEVER = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "QT_QPA_PLATFORM")
_OWN_KEY, _PUBLIC_KEY = "POSTHOG_API_KEY", "phc_"
"""What the app signs in with; a project's public key, which its code may want, goes by the same name."""
PORTS_PER_TASK = 10
RUN_ID = "POSTHOG_CODE_RUN_ID"
"""What every process of a run inherits, so that it can be found and ended after a crash (ports.agent.AgentHost)."""


def task_environment(
    task: Task, repository: Repository | None, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The person's own environment without what is only ours, plus the task's variables.

    `POSTHOG_CODE_PORT` is the first of ten ports that no other task was given.
    """
    env = dict(os.environ if base is None else base)
    for name in _NEVER:
        env.pop(name, None)
    if not env.get(_OWN_KEY, "").strip().startswith(_PUBLIC_KEY):
        env.pop(_OWN_KEY, None)
    for name in _FROZEN_LEFTOVERS:
        # A frozen build points these at its own libraries and keeps the person's value beside.
        original = env.pop(f"{name}_ORIG", None)
        if original is not None:
            env[name] = original
    env |= {
        "POSTHOG_CODE_TASK_ID": task.id,
        "POSTHOG_CODE_TASK_NAME": task.title,
        "POSTHOG_CODE_WORKTREE": task.path,
        "POSTHOG_CODE_BRANCH": task.branch,
        "POSTHOG_CODE_BASE_BRANCH": task.base,
    }
    if repository is not None:
        env["POSTHOG_CODE_ROOT"] = repository.path
        env["POSTHOG_CODE_DEFAULT_BRANCH"] = repository.default_branch
    if task.port_base:
        env["POSTHOG_CODE_PORT"] = str(task.port_base)
        env["POSTHOG_CODE_PORT_END"] = str(task.port_base + PORTS_PER_TASK - 1)
    return env


def marked(env: Mapping[str, str], task: Task) -> dict[str, str]:
    """For processes that are not started by the agent host, which marks its own."""
    return {**env, RUN_ID: task.session_id}


def free_port_base(taken: set[int], first: int = 42_000, last: int = 59_000) -> int:
    """The lowest block that no task has; 0 when all are given."""
    return next((port for port in range(first, last, PORTS_PER_TASK) if port not in taken), 0)
