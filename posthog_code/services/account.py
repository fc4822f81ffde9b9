"""Who is signed in to PostHog. Facts are in the state, secrets in the keyring only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from posthog_code.domain.cloud import Account
from posthog_code.domain.cloud_parse import account_key
from posthog_code.domain.errors import NotFound, NotSignedIn, UserError
from posthog_code.domain.state import AppState, Topic
from posthog_code.domain.task import Task
from posthog_code.ports.cloud import Cloud, CloudAccount, OpenBrowser, SignIn
from posthog_code.ports.signals import ProductSignals
from posthog_code.services.store import Store

ACCOUNT = Topic("account")


class AccountService:
    def __init__(self, store: Store, port: CloudAccount, open_browser: OpenBrowser = lambda url: False) -> None:
        """`open_browser` is what a sign-in uses unless it is given another one."""
        self._store, self._port, self._open_browser = store, port, open_browser
        self._restored = False
        self._restoring = asyncio.Lock()
        self._listeners: list[Callable[[], None]] = []

    @property
    def account(self) -> Account:
        return self._store.state.account

    def on_change(self, listener: Callable[[], None]) -> None:
        """Called after a sign-in, a sign-out, and another choice of project."""
        self._listeners.append(listener)

    async def restore(self) -> Account:
        """Go on with the last sign-in; once. Never raises for what the network or the server does."""
        async with self._restoring:
            if not self._restored:
                self._restored = True
                await self._put(await self._port.restore(self.account))
        return self.account

    async def sign_in(self, request: SignIn, open_browser: OpenBrowser | None = None) -> Account:
        """See `CloudAccount.sign_in`; the account that was signed in before is signed out here first."""
        signed_in = await self._port.sign_in(request, self.account, open_browser or self._open_browser)
        self._restored = True
        await self._put(signed_in)
        self._tell()
        return self.account

    async def sign_out(self) -> bool:
        """False when the server could not be told; the secrets are gone from here all the same."""
        await self.restore()
        account = self.account
        told = await self._port.sign_out(account)
        await self._put(
            Account(
                host=account.host,
                region=account.region,
                client_id=account.client_id,
                chosen_projects=account.chosen_projects,
            )
        )
        self._tell()
        return told

    async def refresh(self) -> Account:
        """Read again who is signed in and what they may reach. Raises what the port does."""
        await self.restore()
        try:
            await self._put(await self._port.identity(self.account))
        except UserError as error:
            await self.failed(error)
            raise
        return self.account

    async def choose_organization(self, organization_id: str) -> Account:
        await self.restore()
        await self._put(await self._port.choose_organization(self.account, organization_id))
        self._tell()
        return self.account

    async def choose_project(self, project_id: int) -> None:
        """Local only; remembered for this account."""
        account = self.account
        if project_id not in {one.id for one in account.projects}:
            raise NotFound("There is no such project.", "posthog-code whoami lists those that you can choose.")
        chosen = {**account.chosen_projects, account_key(account.host, account.user): project_id}
        await self._put(replace(account, project_id=project_id, chosen_projects=chosen))
        self._tell()

    async def failed(self, error: UserError) -> None:
        """A call failed: keep why, if it is about the sign-in itself."""
        if type(error) is NotSignedIn:
            await self._tell_problem(error.title)

    async def worked(self) -> None:
        await self._tell_problem("")

    async def _tell_problem(self, problem: str) -> None:
        """Of whoever is signed in by the time it is written: somebody may sign out while a call is under way."""

        def change(state: AppState) -> AppState:
            account = state.account
            return replace(state, account=replace(account, problem=problem)) if account.signed_in else state

        if self.account.signed_in and self.account.problem != problem:
            await self._store.update(change, ACCOUNT)

    def cloud(self, project_id: int = 0) -> Cloud:
        """The cloud of a project; 0 is the chosen one. Raises NotSignedIn."""
        return self._port.project(self.account, self._project(project_id))

    def signals(self, project_id: int = 0) -> ProductSignals:
        """The product signals of a project; 0 is the chosen one. Raises NotSignedIn, NotFound."""
        return self._port.signals(self.account, self._project(project_id))

    def _project(self, project_id: int) -> int:
        account = self.account
        if not account.signed_in:
            raise NotSignedIn(account.problem or "You are not signed in to PostHog.", "Sign in (posthog-code login).")
        if not (project_id or account.project_id):
            raise NotFound("Your account has no project.", "Make one in PostHog, then sign in again.")
        return project_id or account.project_id

    def cloud_of(self, task: Task) -> Cloud:
        """The cloud of a task's own project, whichever is chosen now."""
        return self.cloud(task.cloud_project_id)

    async def keyring_available(self) -> bool:
        return await self._port.keyring_available()

    async def close(self) -> None:
        await self._port.close()

    async def _put(self, account: Account) -> None:
        if account != self.account:
            await self._store.update(lambda state: replace(state, account=account), ACCOUNT)

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()
