"""Who wrote which line: an agent's turns and a person's edits in a real worktree."""

from __future__ import annotations

from pathlib import Path

from posthog_code.domain.diff_index import DiffIndex
from posthog_code.domain.provenance import YOU
from tests.helpers import finished, run, running, start_task, task_of


def test_turns_and_the_person_are_told_apart(tmp_path: Path, repository: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "Improve the add function")
            await finished(services, task_id)
            folder = Path(task_of(services, task_id).path)
            (folder / "mine.txt").write_text("one\ntwo\n")
            await services.sessions.prompt(task_id, "Improve it once more")
            await finished(services, task_id)
            with (folder / "calc.py").open("a") as file:
                file.write("\n# mine\n")
            found = await services.provenance.read(task_id)
            assert {stretch.author for stretch in found["mine.txt", "new"]} == {YOU}
            lines = (folder / "calc.py").read_text().splitlines()
            by_line = {n: s.author for s in found["calc.py", "new"] for n in range(s.start, s.end + 1)}
            assert by_line[len(lines)] == YOU
            assert 1 in by_line.values()
            # Exactly the lines that the diff shows as added have an author.
            index = DiffIndex()
            async for chunk in services.changes.diff(task_id):
                index.feed(chunk)
            index.finish()
            added = {
                (index.files[index.file_of(row)].path, index.numbers(row)[1])
                for row in range(len(index))
                if chr(index.kinds[row]) == "+"
            }
            told = {
                (path, line)
                for (path, side), stretches in found.items()
                if side == "new"
                for s in stretches
                for line in range(s.start, s.end + 1)
            }
            assert added == told

    run(scenario())
