"""Agents that break the protocol, through all services: a sentence, a way on, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posthog_code.adapters.acp.host import AcpHost
from posthog_code.adapters.acp.timeouts import Timeouts
from posthog_code.app import wiring
from posthog_code.domain.ids import TaskId
from posthog_code.domain.session import SessionPhase
from posthog_code.domain.transcript import AgentText, AskItem, Notice, Plan, ToolCall
from posthog_code.services.app import Services
from tests.helpers import finished, running, session_of, start_task, task_of, tree_hash, until

HERE = Path(__file__).parent
RAW = f"{sys.executable} {HERE / 'bad_input_agent.py'}"
ACP = f"{sys.executable} {HERE / 'acp_agent.py'}"
SHORT = Timeouts(
    initialize=0.5, session=0.5, setting=0.5, cancel=0.4, session_close=0.2, stdin=0.2, terminate=0.3, output_end=0.3
)


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "make_agent_host", lambda clock: AcpHost(clock, SHORT))


def frames_file(folder: Path, frames: list[Any], answers: int = 0, number: int = 0) -> Path:
    """Lines for the raw agent; bytes go out as they are."""
    path = folder / f"frames{number}-{answers}.jsonl"
    lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in frames]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def update(kind: Any, /, **fields: Any) -> dict[str, Any]:
    params = {"sessionId": "s1", "update": {"sessionUpdate": kind, **fields}}
    return {"jsonrpc": "2.0", "method": "session/update", "params": params}


def request(request_id: Any, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": {"sessionId": "s1", **params}}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def goes_on(services: Services, task_id: TaskId, prompt: str = "say") -> None:
    """The next prompt is carried out as if nothing had happened."""
    before = len(session_of(services, task_id).turns)
    await services.sessions.prompt(task_id, prompt)
    session = await finished(services, task_id)
    assert len(session.turns) == before + 1 and session.turns[-1].stop_reason == "end_turn", session


# -- before the first prompt ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("no-such-agent --acp", "no-such-agent was not found"),
        ("sh -c 'exit 0'", "ended"),
        ("sh -c 'echo cannot find the model >&2; exit 7'", "7"),
        (f"{ACP} silent", "did not answer initialize within"),
        (f"{RAW} session/new", "did not answer session/new within"),
        (f"{ACP} no-id", "something else than the protocol"),
        (f"{ACP} version", "version"),
        ("unbalanced 'quote", "cannot be read"),
        ("cat", ""),
        ("yes", ""),
    ],
)
def test_an_agent_that_does_not_open(tmp_path: Path, repository: Path, command: str, says: str) -> None:
    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "do it", agent_command=command)
            session = await finished(services, task_id)
            assert session.phase is SessionPhase.FAILED and session.error
            notice = services.sessions.transcript(task_id).items[-1]
            assert isinstance(notice, Notice) and notice.level == "error"
            words = f"{session.error} {session.error_hint} {notice.text}"
            assert says in words and "Traceback" not in words
            assert notice.text.strip(), "there is no way on"
            assert "retry_turn" in notice.actions and session.turns == () and session.pid == 0
            # The prompt stays; with an agent that works, the same task goes on.
            await services.store.update(
                lambda state: replace(
                    state, tasks={**state.tasks, task_id: replace(state.tasks[task_id], agent_command=RAW)}
                )
            )
            await services.sessions.retry_turn(task_id)
            session = await finished(services, task_id)
            assert [(t.prompt, t.stop_reason) for t in session.turns] == [("do it", "end_turn")]

    asyncio.run(main())


# -- in the middle of a turn ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "reason", "says"),
    [
        ("exit 3", "error", "exit code 3"),
        ("hold", "error", "SIGKILL"),
        ("close-output", "error", "closed its output"),
        ("garbage", "end_turn", ""),
        ("stderr 1000000", "end_turn", ""),
        ("long-line 10000000", "end_turn", ""),
        ("orphan exit", "error", "exit code 3"),
    ],
)
def test_a_turn_that_goes_wrong(tmp_path: Path, repository: Path, prompt: str, reason: str, says: str) -> None:
    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, prompt, agent_command=ACP)
            session = await finished(services, task_id)
            assert session.turns[-1].stop_reason == reason
            assert says in session.turns[-1].error
            children = [
                int(item.text.split()[1])
                for item in services.sessions.transcript(task_id).items
                if isinstance(item, AgentText) and item.text.startswith("child ")
            ]
            if reason == "error":
                await until(lambda: not any(alive(pid) for pid in children))
            await goes_on(services, task_id)

    asyncio.run(main())


def test_a_line_of_100_mb_is_left_out_and_told(tmp_path: Path, repository: Path) -> None:
    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "long-line 100000000", agent_command=ACP)
            session = await finished(services, task_id)
            assert session.turns[-1].stop_reason == "end_turn"
            await services.logs.load(task_id)
            log = services.logs.lines(task_id)
            await until(lambda: any("left out" in log.line(i).text for i in range(log.count)))
            journal = container.paths.journals / f"{session.id}.jsonl"
            assert journal.stat().st_size < 1_000_000
            await goes_on(services, task_id)

    asyncio.run(main())


@pytest.mark.parametrize(("command", "prompt"), [(ACP, "deaf"), (f"{RAW} session/prompt", "x")])
def test_an_agent_that_ignores_stop(tmp_path: Path, repository: Path, command: str, prompt: str) -> None:
    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, prompt, agent_command=command)
            await until(lambda: session_of(services, task_id).phase is SessionPhase.WORKING)
            pid = session_of(services, task_id).pid
            await services.sessions.prompt(task_id, "queued")
            await services.sessions.stop(task_id)
            session = await finished(services, task_id)
            assert session.turns[-1].stop_reason == "cancelled"
            assert "did not stop" in session.turns[-1].error
            await until(lambda: not alive(pid))
            assert [m.text for m in services.store.state.queue[task_id]] == ["queued"], "the queue waits for the person"

    asyncio.run(main())


def test_a_daemon_ends_with_its_session(tmp_path: Path, repository: Path) -> None:
    pid_file = tmp_path / "pid"

    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, f"daemon {pid_file}", agent_command=RAW)
            await finished(services, task_id)
            assert alive(int(pid_file.read_text()))
            await services.sessions.end(task_id)
            assert not alive(int(pid_file.read_text()))

    asyncio.run(main())


# -- what it asks --------------------------------------------------------------------------------------------------


def offering_files(home: Path) -> None:
    """An entry of the person's own folder of agents that is given files and terminals."""
    folder = home / "agents"
    folder.mkdir(parents=True)
    (folder / "raw.toml").write_text(
        f'id = "raw"\nname = "Raw"\nletter = "R"\ncommand = ["{sys.executable}", "{HERE / "bad_input_agent.py"}"]\n'
        "offers_fs = true\noffers_terminal = true\n"
    )


def test_nothing_is_written_or_run_outside_the_worktree(tmp_path: Path, repository: Path) -> None:
    offering_files(tmp_path / "home")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept.txt").write_text("kept\n")

    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, "say", agent_command="", agent_id="raw", mode="")
            await finished(services, task_id)
            worktree = Path(task_of(services, task_id).path)
            (worktree / "link").symlink_to(outside)
            (worktree / "file-link").symlink_to(outside / "kept.txt")
            bad = [
                "../escaped.txt", str(outside / "a.txt"), "link/b.txt", "file-link", str(worktree / ".." / "c.txt"),
                str(repository / "calc.py"), "", "nul\0", "/etc/posthog-code-test", str(worktree), ".git",
            ]  # fmt: skip
            frames: list[Any] = [
                request(f"w{n}", "fs/write_text_file", path=path, content="bad") for n, path in enumerate(bad)
            ]
            frames += [
                request("odd1", "fs/write_text_file", path=7, content=None),
                request("odd2", "fs/read_text_file"),
            ]
            frames += [
                request("t1", "terminal/create", command="touch", args=["made"], cwd=str(outside)),
                request("t2", "terminal/create", command="touch", args=["made"], cwd="../.."),
                request("t3", "terminal/create", command="touch", args=["made"], cwd="link"),
                request("t4", "terminal/create", command=5, args="x", env=7, cwd=[]),
                request("t5", "terminal/output", terminalId="none"),
            ]
            frames.append(request("good", "fs/write_text_file", path=str(worktree / "new" / "ok.txt"), content="ok"))
            before = tree_hash(outside), tree_hash(repository)
            path = frames_file(tmp_path, frames, len(frames))
            await goes_on(services, task_id, f"raw {path}")
            answers = {frame["id"]: frame for frame in json.loads(Path(f"{path}.answers").read_text())}
            assert "result" in answers["good"] and (worktree / "new" / "ok.txt").read_text() == "ok"
            assert not [key for key, frame in answers.items() if "error" not in frame and key != "good"], answers
            refused = {key: frame["error"]["message"] for key, frame in answers.items() if key != "good"}
            assert len(refused) == len(frames) - 1 and all(refused.values())
            assert (tree_hash(outside), tree_hash(repository)) == before
            assert not (worktree.parent / "escaped.txt").exists() and not list(tmp_path.glob("**/made"))
            assert (worktree / ".git").is_file()

    asyncio.run(main())


def test_two_permissions_at_once_and_one_without_options(tmp_path: Path, repository: Path) -> None:
    allow = [{"optionId": "y", "name": "Yes", "kind": "allow_once"}]
    frames: list[Any] = [
        request(1, "session/request_permission", toolCall={"toolCallId": "a", "title": "First"}, options=allow),
        request("1", "session/request_permission", toolCall={"toolCallId": "b", "title": "Same id"}, options=allow),
        request(2, "session/request_permission", toolCall={"toolCallId": "c", "title": "Second"}, options=allow),
        request(3, "session/request_permission", toolCall=None, options=None),
    ]
    path = frames_file(tmp_path, frames, 4)

    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, f"raw {path}", agent_command=RAW)
            # The id that was used twice names the later request.
            asks = await until(lambda: len(s := session_of(services, task_id).asks) == 3 and s)
            assert [ask.title for ask in asks] == ["Same id", "Second", "Use a tool"]
            for ask in session_of(services, task_id).asks:
                if ask.options:
                    await services.sessions.answer(task_id, ask.id, "y")
            left = await until(lambda: len(s := session_of(services, task_id).asks) == 1 and s)
            assert left[0].options == ()
            # Nothing can be chosen: stopping the turn is the way on.
            await services.sessions.stop(task_id)
            session = await finished(services, task_id)
            assert session.turns[-1].stop_reason in ("cancelled", "end_turn") and not session.asks
            items = [i for i in services.sessions.transcript(task_id).items if isinstance(i, AskItem)]
            assert all(item.answer for item in items)
            await goes_on(services, task_id)

    asyncio.run(main())


def test_a_form_of_odd_types(tmp_path: Path, repository: Path) -> None:
    schema = {
        "type": "object",
        "required": 7,
        "properties": {
            "n": {"type": "number", "minimum": 1},
            "b": {"type": "boolean"},
            "many": {"type": "array", "items": {"enum": ["x", 2, None]}},
            "nested": {"type": "object", "properties": {"deep": {"type": "string"}}},
            "list": {"type": ["string", "null"]},
            "odd": 5,
            "e": {"enum": [{"a": 1}, [2]], "enumNames": ["one"]},
            "o": {"oneOf": [{"const": None}, 3]},
        },
    }
    frames: list[Any] = [
        request("f1", "elicitation/create", message="Which?", requestedSchema=schema),
        request("f2", "elicitation/create", message=None, requestedSchema=[]),
    ]
    path = frames_file(tmp_path, frames, 2)

    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, f"raw {path}", agent_command=RAW)
            asks = await until(lambda: len(s := session_of(services, task_id).asks) == 2 and s)
            assert {"n", "b", "many"} <= {field.name for field in asks[0].fields}
            content = {"n": 2.5, "b": True, "many": ["x"]}
            await services.sessions.answer_question(task_id, asks[0].id, content)
            await services.sessions.answer_question(task_id, asks[1].id, None)
            session = await finished(services, task_id)
            assert session.turns[-1].stop_reason == "end_turn"
            answers = {f["id"]: f["result"] for f in json.loads(Path(f"{path}.answers").read_text())}
            assert answers == {"f1": {"action": "accept", "content": content}, "f2": {"action": "decline"}}

    asyncio.run(main())


# -- what it says --------------------------------------------------------------------------------------------------

TEXT = "\x1b[31mred\x1b[0m \x07\x08\x00 \u202eabc\u202c \u05e9\u05dc\u05d5\u05dd \ud83d\ude00"


def test_odd_updates(tmp_path: Path, repository: Path) -> None:
    frames: list[Any] = [
        update("tool_call_update", toolCallId="never seen", status="completed", title="From nowhere"),
        update("tool_call_update", toolCallId=None),
        update("tool_call", toolCallId="big", title="T" * 1_000_000, kind="read"),
        update("tool_call", toolCallId="t", title=TEXT, kind=TEXT, locations=[{"path": TEXT}], rawInput=TEXT),
        update("tool_call", toolCallId="d", content=[{"type": "diff", "path": None, "newText": 5}, 7, None]),
        update("weather_update", outlook="sunny"),
        update(None),
        update(["list"]),
        {"jsonrpc": "2.0", "method": "session/update", "params": None},
        {"jsonrpc": "2.0", "method": "session/update", "params": {"update": None}},
        {"jsonrpc": "2.0", "method": None, "params": None, "id": None},
        {"jsonrpc": "2.0", "method": {"a": 1}, "id": [1]},
        {"jsonrpc": "2.0", "id": 4711, "result": {"unknown": True}},
        {"jsonrpc": "2.0", "id": "x", "error": "no object"},
        update("plan", entries=[{"content": f"step {n}", "status": "pending"} for n in range(1000)]),
        update("plan", entries=None),
        update("plan", entries={"content": "x"}),
        update("usage_update", used=None, size="many", cost=[]),
        b'{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s1","update":'
        b'{"sessionUpdate":"usage_update","used":Infinity,"size":NaN,"cost":{"amount":-Infinity}}}}',
        update("available_commands_update", availableCommands=[{"name": TEXT}, 5, {"name": {"a": 1}}, None]),
        update("available_commands_update", availableCommands=7),
        update("config_option_update", configOptions=[{"id": 5, "options": 7}, {"id": None}, "x"], modes=9, models=[]),
        update("config_option_update", modes={"availableModes": 5, "currentModeId": {}}),
        update("current_mode_update", currentModeId={"a": 1}),
        update("session_info_update", title=5),
        update("agent_message_chunk", content={"type": "text", "text": None}),
        update("agent_message_chunk", content=None),
        update("agent_message_chunk", content={"type": "image", "data": 5, "mimeType": None}),
        update("agent_message_chunk", content={"type": "text", "text": TEXT}, messageId={"a": 1}),
        request(7, "unknown/method"),
        request(7, "unknown/method"),
        b"[" * 100_000,
        b'{"jsonrpc":"2.0","method":"x","params":' + b'{"a":' * 3000 + b"1" + b"}" * 3001,
        update("agent_message_chunk", content={"type": "text", "text": "still here"}),
    ]
    path = frames_file(tmp_path, frames, 2)

    async def main() -> None:
        async with running(tmp_path / "home") as container:
            services = container.services
            task_id = await start_task(services, repository, f"raw {path}", agent_command=RAW)
            session = await finished(services, task_id)
            assert session.turns[-1].stop_reason == "end_turn"
            items = services.sessions.transcript(task_id).items
            assert any(isinstance(i, AgentText) and "still here" in i.text for i in items)
            assert any(isinstance(i, Plan) for i in items)
            assert {"big", "t", "never seen"} <= {i.call_id for i in items if isinstance(i, ToolCall)}
            await goes_on(services, task_id)
        # What is kept says the same after a restart.
        async with running(tmp_path / "home") as container:
            again = await container.services.sessions.load_transcript(task_id)
            assert [type(i) for i in again.items][: len(items)] == [type(i) for i in items]
            container.services.logs.lines(task_id)

    asyncio.run(main())


class Bench:
    """One session that is fed example after example."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.folder = folder
        self.runner = asyncio.Runner()
        self.count = 0
        self.context = running(folder / "home")
        self.services = self.runner.run(self.context.__aenter__()).services
        self.task_id = self.runner.run(self._begin(repository))

    async def _begin(self, repository: Path) -> TaskId:
        task_id = await start_task(self.services, repository, "say", agent_command=RAW)
        await finished(self.services, task_id)
        return task_id

    def feed(self, frames: list[Any]) -> None:
        self.count += 1
        path = frames_file(self.folder, frames, 0, self.count)
        self.runner.run(self._feed(path))

    async def _feed(self, path: Path) -> None:
        await self.services.sessions.prompt(self.task_id, f"raw {path}")
        session = await finished(self.services, self.task_id)
        assert not session.phase.busy and session.turns[-1].stop_reason
        assert not session.asks

    def close(self) -> None:
        self.runner.run(self.context.__aexit__(None, None, None))
        self.runner.close()


@pytest.fixture
def bench(tmp_path: Path, repository: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, repository)
    yield made
    made.close()


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["s1", "t1"])
_JSON = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
_KINDS = st.sampled_from(
    [
        "agent_message_chunk", "agent_thought_chunk", "user_message_chunk", "agent_message", "tool_call",
        "tool_call_update", "plan", "error", "available_commands_update", "current_mode_update",
        "config_option_update", "session_info_update", "usage_update", "status", "new_kind",
    ]
)  # fmt: skip
_FIELDS = st.sampled_from(
    [
        "content", "messageId", "toolCallId", "title", "status", "kind", "locations", "rawInput", "rawOutput",
        "entries", "_meta", "availableCommands", "currentModeId", "configOptions", "modes", "models", "used", "size",
        "cost", "message", "update",
    ]
)  # fmt: skip
_BLOCK = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "content", "diff", "terminal", "image", "resource_link"])},
    optional=dict.fromkeys(("text", "content", "path", "oldText", "newText", "terminalId", "uri", "data"), _JSON),
)
_VALUE = _JSON | _BLOCK | st.lists(_BLOCK | _JSON, max_size=3)
_UPDATE = st.builds(
    lambda kind, fields: update(kind, **fields), _KINDS | _LEAVES, st.dictionaries(_FIELDS, _VALUE, max_size=5)
)
_METHODS = st.sampled_from(
    [
        "session/request_permission", "elicitation/create", "fs/read_text_file", "fs/write_text_file",
        "terminal/create", "terminal/output", "$/cancel_request", "session/update", "_posthog_code/turn_ended",
        "_posthog/turn_complete", "session/prompt", "initialize",
    ]
)  # fmt: skip
_PARAMS = st.dictionaries(
    st.sampled_from(
        [
            "toolCall",
            "options",
            "message",
            "requestedSchema",
            "path",
            "content",
            "command",
            "args",
            "requestId",
            "update",
        ]
    ),
    _VALUE
    | st.fixed_dictionaries({"properties": st.dictionaries(st.text(max_size=4), _VALUE), "required": _JSON})
    | st.dictionaries(_FIELDS, _VALUE, max_size=4),
    max_size=5,
)
_REQUEST = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": _METHODS | _LEAVES},
    optional={"id": st.integers(1000, 1003) | st.sampled_from(["a", "1000"]) | _LEAVES, "params": _PARAMS | _JSON},
)
_ANSWER = st.fixed_dictionaries(
    {"id": st.integers(1000, 1004) | st.text(max_size=3)}, optional={"result": _JSON, "error": _JSON}
)
_FRAMES = st.lists(_UPDATE | _REQUEST | _ANSWER | _JSON, min_size=20, max_size=60)


def test_frames_of_any_shape(bench: Bench) -> None:
    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(_FRAMES)
    def feed(frames: list[Any]) -> None:
        bench.feed(frames)

    feed()
    bench.runner.run(goes_on(bench.services, bench.task_id))
