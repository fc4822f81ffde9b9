"""The life of a run: sandbox, agent, turns, publishing, checkpoints, end."""

from __future__ import annotations

import queue
import secrets
import threading
import time
from pathlib import Path

from posthog_code.demo.posthog.agent import Agent, AgentGone, AgentRefused
from posthog_code.demo.posthog.asking import Ask, CommandError, agents_answer, answered_call, ask_of, logged_answer
from posthog_code.demo.posthog.parts import Host
from posthog_code.demo.posthog.prompts import blocks_of
from posthog_code.demo.posthog.publishing import checkpoint, publish
from posthog_code.demo.posthog.sandbox import Sandbox, SandboxError
from posthog_code.demo.posthog.store import TERMINAL
from posthog_code.demo.posthog.wire import Json, Object, now

MODES = {"default": "ask", "bypassPermissions": "auto", "full-access": "auto", "read-only": "plan"}
"""Modes of real agents, in the demo agent's words; others are the same."""
AGENT_VERSION = "1.0"


class Engine:
    """One run at work. Its own thread boots it and plays turns; commands come from the server's threads."""

    def __init__(self, cloud: Host, run: Object) -> None:
        self.cloud: Host = cloud
        self.store = cloud.store
        self.run = run
        self.log = cloud.log(run["id"])
        self.state = "booting"
        """booting, idle, turn, ended."""
        self._agent: Agent | None = None
        self._session = ""
        self._prompts: queue.Queue[Object | None] = queue.Queue()
        self._asks: dict[str, Ask] = {}
        self._changed = threading.Condition()
        self.turns_over = 0
        self._stopped = False
        self._thread = threading.Thread(target=self._live, name=f"run {run['id']}", daemon=True)

    @property
    def demo(self) -> Object:
        demo: Object = self.store.tasks[self.run["task"]]["_demo"]
        return demo

    def start(self) -> None:
        self._thread.start()

    # -- commands

    @property
    def reachable(self) -> bool:
        return self._agent is not None and self.state in ("idle", "turn")

    def user_message(self, params: Object) -> Object:
        echo = {key: params[key] for key in ("content", "artifact_ids") if params.get(key)}
        self.notify("_posthog/user_message", echo)
        before = self.turns_over
        self._prompts.put({"content": params.get("content") or "", "artifact_ids": params.get("artifact_ids") or []})
        if self.store.config["command_reply"] != "turn":
            return {"queued": True}
        with self._changed:
            self._changed.wait_for(lambda: self.turns_over > before or self.state == "ended", 600)
        return {"stopReason": "end_turn", "assistant_message": ""}

    def cancel(self) -> Object:
        self.notify("_posthog/cancel", {})
        if self.state == "turn" and self._agent is not None:
            self._drop_asks()
            self._agent.send({"method": "session/cancel", "params": {"sessionId": self._session}})
        return {"cancelled": True}

    def permission_response(self, params: Object) -> Object:
        with self._changed:
            ask = self._asks.get(str(params["requestId"]))
            if ask is None:
                raise CommandError(-32000, f"No pending permission request {params['requestId']}")
            if params["optionId"] not in [option.get("optionId") for option in ask.options]:
                raise CommandError(-32602, f"Unknown option {params['optionId']}")
            del self._asks[ask.request_id]
        self.notify("_posthog/permission_response", {k: v for k, v in params.items() if v is not None})
        self.frame({"id": ask.rpc_id, "result": logged_answer(ask, params)})
        if ask.field:
            self.update(answered_call(ask, params))
        if self._agent is not None:
            self._agent.answer(ask.rpc_id, agents_answer(ask, params))
        return {"resolved": True}

    def set_config_option(self, params: Object) -> Object:
        value = str(params["value"])
        if params["configId"] == "mode":
            value = MODES.get(value, value)
        if self._agent is None:
            raise CommandError(-32000, "The agent is gone")
        sent = {"sessionId": self._session, "configId": params["configId"], "value": value}
        try:
            return self._agent.call(self._agent.next_id(), "session/set_config_option", sent)
        except (AgentGone, AgentRefused, TimeoutError) as error:
            raise CommandError(-32602, str(error)) from error

    def close(self, local_state: Object) -> Object:
        """Stop the agent, keep the final checkpoint, let the sandbox go. The run completes a little later, unless it
        was made a local one meanwhile."""
        self.notify("_posthog/close", {"localGitState": local_state} if local_state else {})
        self._end_agent()
        checkpoint(self)
        threading.Thread(target=self._after_close, daemon=True).start()
        return {"closed": True}

    def finish(self, status: str, message: str | None = None) -> None:
        """End the run at once."""
        self._end_agent()
        self._ended(status, message)

    def left(self) -> None:
        """The run is local from now on: the sandbox is gone, the stream is over."""
        self._end_agent()
        self.log.end()

    def stop(self) -> None:
        """The stand-in ends; the run stays as it is and goes on with the next start."""
        self._stopped = True
        if self._agent is not None:
            self._agent.kill()

    def waiting(self) -> list[Ask]:
        with self._changed:
            return list(self._asks.values())

    # -- life

    def _live(self) -> None:
        try:
            self._boot()
            while not self._stopped and self.state != "ended":
                try:
                    message = self._prompts.get(timeout=float(self.store.config["idle_s"]))
                except queue.Empty:
                    checkpoint(self)
                    self.finish("completed")
                    return
                if message is None:
                    return
                self._turn(message)
                if self.run["state"].get("mode") == "background" and self._prompts.empty():
                    self.finish("completed")
        except (AgentGone, AgentRefused, TimeoutError, SandboxError, OSError) as error:
            if not self._stopped and self.state != "ended":
                self.frame({"method": "_posthog/error", "params": {"sessionId": self._session, "message": str(error)}})
                self.finish("failed", str(error))

    def _boot(self) -> None:
        run, fresh = self.run, not self.run["_session"]
        with self.store.lock:
            run["status"] = "in_progress"
            self.store.touch(run, self.now())
            self.store.save()
        self.tell_state()
        sandbox = self.sandbox()
        if fresh or not sandbox.folder.is_dir():
            self._prepare(sandbox)
        else:
            sandbox.reconnect()
        self._progress("agent", "Starting agent", "in_progress")
        agent = Agent(self.cloud.agent_command, sandbox.folder, self.cloud.agent_state, self._speed(), self._told)
        self._agent = agent
        hello = {
            "protocolVersion": 1,
            "clientCapabilities": {"elicitation": {"form": {}}},
            "clientInfo": {"name": "posthog-cloud-demo", "version": AGENT_VERSION},
        }
        self._ask_agent("initialize", hello)
        self._session = self._open_session(sandbox)
        if fresh:
            self._choose_mode()
        run["_session"] = self._session
        self._progress("agent", "Starting agent", "completed")
        ids = {"runId": run["id"], "taskId": run["task"]}
        self.notify("_posthog/run_started", {**ids, "agentVersion": AGENT_VERSION})
        self.notify("_posthog/sdk_session", {"taskRunId": run["id"], "adapter": run["runtime_adapter"] or "claude"})
        if run["_inflight"]:
            self._begin_again(run["_inflight"])
        with self.store.lock:
            first = run["state"].pop("pending_user_message", None)
            artifacts = run["state"].pop("pending_user_artifact_ids", None) or []
            self.store.save()
        with self._changed:
            self.state = "idle"
        if first is not None or artifacts:
            self._prompts.put({"content": first or "", "artifact_ids": artifacts})

    def _begin_again(self, inflight: Object) -> None:
        """The stand-in ended in the middle of a turn: close what was open and take the message again."""
        for rpc_id in inflight["asks"]:
            self.frame({"id": rpc_id, "result": {"outcome": {"outcome": "cancelled"}}})
        self._over(inflight["id"], {"stopReason": "cancelled"})
        self._prompts.put(inflight["message"])

    def _prepare(self, sandbox: Sandbox) -> None:
        """Clone, and bring in what the run goes on from."""
        run = self.run
        task = self.store.tasks[run["task"]]
        self._progress("clone", f"Cloning {task['repository']}", "in_progress")
        begun, checkpoint = self.cloud.handed_over(run)
        try:
            base = sandbox.clone(str(begun or run["state"].get("pr_base_branch") or ""))
            if checkpoint is not None:
                self._progress("checkpoint", "Restoring changes", "in_progress")
                sandbox.apply(*checkpoint)
                self._progress("checkpoint", "Restoring changes", "completed")
        except SandboxError as error:
            self._progress("clone", f"Cloning {task['repository']}", "failed", str(error))
            raise
        with self.store.lock:
            run["state"].setdefault("pr_base_branch", base)
            run["_base"] = run["_base"] or base
        self._progress("clone", f"Cloning {task['repository']}", "completed")

    def _open_session(self, sandbox: Sandbox) -> str:
        """The session that the conversation had before, if the agent knows it; else a new one."""
        params: Object = {"cwd": str(sandbox.folder), "mcpServers": []}
        for known in self.cloud.earlier_sessions(self.run):
            try:
                self._ask_agent("session/resume", {**params, "sessionId": known})
                return known
            except AgentRefused:
                continue
        return str(self._ask_agent("session/new", params)["sessionId"])

    def _choose_mode(self) -> None:
        told = str(self.run["state"].get("initial_permission_mode") or "bypassPermissions")
        if self._agent is not None:
            sent = {"sessionId": self._session, "configId": "mode", "value": MODES.get(told, told)}
            try:
                self._agent.call(self._agent.next_id(), "session/set_config_option", sent)
            except AgentRefused:
                pass  # a mode of another agent: the session keeps its own

    def _ask_agent(self, method: str, params: Object) -> Object:
        """A call that the log shows with its answer."""
        agent = self._agent
        if agent is None:
            raise AgentGone(None)
        request_id = agent.next_id()
        self.frame({"id": request_id, "method": method, "params": params})
        try:
            result = agent.call(request_id, method, params)
        except AgentRefused as error:
            self.frame({"id": request_id, "error": {"code": -32603, "message": str(error)}})
            raise
        self.frame({"id": request_id, "result": result})
        return result

    # -- turns

    def _turn(self, message: Object) -> None:
        agent = self._agent
        if agent is None:
            return
        blocks = blocks_of(message, self.run["artifacts"], self.store.blob)
        with self._changed:
            self.state = "turn"
        request_id = agent.next_id()
        params = {"sessionId": self._session, "prompt": blocks}
        self._remember({"id": request_id, "message": message, "asks": []})
        self.frame({"id": request_id, "method": "session/prompt", "params": params})
        for block in blocks:
            self.update({"sessionUpdate": "user_message_chunk", "content": block})
        result: Object
        try:
            result = agent.call(request_id, "session/prompt", params, limit=None)
        except AgentRefused as error:
            self.frame({"id": request_id, "error": {"code": -32603, "message": str(error)}})
            result = {"stopReason": "refusal", "usage": {}}
        except AgentGone:
            if self.state == "ended":
                self._over(request_id, {"stopReason": "cancelled"})
            raise
        else:
            if result.get("stopReason") == "end_turn":
                publish(self, " ".join(str(block.get("text", "")) for block in blocks))
            self.frame({"id": request_id, "result": result})
        self._over(request_id, result, answered=True)
        checkpoint(self)
        with self._changed:
            if self.state == "turn":
                self.state = "idle"
            self.turns_over += 1
            self._changed.notify_all()

    def _over(self, request_id: int, result: Object, answered: bool = False) -> None:
        """The turn's last frames."""
        if not answered:
            self.frame({"id": request_id, "result": result})
        usage = {"inputTokens": 0, "outputTokens": 0, "cachedReadTokens": 0, "cachedWriteTokens": 0, "totalTokens": 0}
        usage |= result.get("usage") or {}
        self.notify("_posthog/turn_complete", {"stopReason": result.get("stopReason"), "usage": usage})
        self._remember(None)

    def _remember(self, inflight: Object | None) -> None:
        """What is being worked on, for a start after a sudden end."""
        with self.store.lock:
            self.run["_inflight"] = inflight
            self.store.save()

    def _told(self, frame: Object) -> None:
        """A frame of the agent, in its reading thread."""
        if "id" not in frame:
            self.frame(frame)
            return
        if frame["method"] not in ("session/request_permission", "elicitation/create"):
            if self._agent is not None:
                error = {"code": -32601, "message": f"Method not found: {frame['method']}"}
                self._agent.send({"id": frame["id"], "error": error})
            return
        ask = ask_of(frame, secrets.token_hex(6))
        if ask.field:
            self.update({"sessionUpdate": "tool_call", **ask.tool_call})
        with self._changed:
            self._asks[ask.request_id] = ask
        with self.store.lock:
            if self.run["_inflight"]:
                self.run["_inflight"]["asks"].append(ask.rpc_id)
                self.store.save()
        self.frame(ask.frame(self._session))
        self.log.event(ask.event(), self.now())

    def _drop_asks(self) -> None:
        """Nobody will answer these any more."""
        with self._changed:
            dropped = list(self._asks.values())
            self._asks.clear()
        for ask in dropped:
            self.frame({"id": ask.rpc_id, "result": {"outcome": {"outcome": "cancelled"}}})
            if ask.field:
                self.update(answered_call(ask, {}))

    # -- the end

    def _end_agent(self) -> None:
        with self._changed:
            self.state = "ended"
            self._changed.notify_all()
        self._drop_asks()
        agent, self._agent = self._agent, None
        self._prompts.put(None)
        if agent is not None:
            agent.stop()
        if threading.current_thread() is not self._thread and self._thread.is_alive():
            self._thread.join(5)

    def _after_close(self) -> None:
        time.sleep(float(self.store.config["close_grace_s"]))
        # It may be a local run by now, or at work again in another sandbox.
        if self.run["environment"] == "cloud" and self.cloud.engine(self.run["id"]) is self:
            self._ended("completed", None)

    def _ended(self, status: str, message: str | None) -> None:
        if self.run["status"] not in TERMINAL:
            self.patch({"status": status, "error_message": message})
        self.log.end()

    # -- telling

    def patch(self, changes: Object) -> None:
        """Change the row and tell the stream; `output` and `state` are merged."""
        self.cloud.patch_run(self.run, changes, self.now())

    def tell_state(self) -> None:
        self.cloud.tell_state(self.run, self.now())

    def notify(self, method: str, params: Object) -> None:
        self.frame({"method": method, "params": {"sessionId": self._session, **params}})

    def update(self, update: Object) -> None:
        self.frame({"method": "session/update", "params": {"sessionId": self._session, "update": update}})

    def _progress(self, step: str, label: str, status: str, detail: str = "") -> None:
        params: Json = {"step": step, "status": status, "label": label, "group": "setup"}
        self.notify("_posthog/progress", {**params, "detail": detail} if detail else params)

    def frame(self, frame: Object) -> None:
        if not self._stopped:
            self.log.frame(frame, self.now())

    def now(self) -> float:
        return now() - float(self.run["_age"])

    def _speed(self) -> float:
        return float(self.demo.get("speed", self.cloud.pace))

    def sandbox(self) -> Sandbox:
        repository = self.store.tasks[self.run["task"]]["repository"]
        if not repository:
            raise SandboxError("The task has no repository")
        folder: Path = self.store.root / "sandboxes" / self.run["id"]
        return Sandbox(folder, self.cloud.forge.remote(repository))
