"""What pyproject.toml cannot say: a wheel carries the files of resources/ inside the package."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithResources(build_py):
    """In a checkout resources/ stays where it is; in a wheel it becomes posthog_code/_resources."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "posthog_code" / "_resources"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(Path(__file__).parent / "resources", target, ignore=shutil.ignore_patterns("__pycache__"))


setup(cmdclass={"build_py": BuildWithResources})
