"""The functions of PostHog's libraries. Sources: posthog.com/docs/libraries, and the libraries' public interfaces."""

from __future__ import annotations

import re
from dataclasses import dataclass

from posthog_code.domain.code_use import UseKind

EVENT, FLAG, ERROR = UseKind.EVENT, UseKind.FLAG, UseKind.ERROR
IDENTIFY, INIT = UseKind.IDENTIFY, UseKind.INIT


@dataclass(frozen=True, slots=True)
class Method:
    """Where a function takes its name, and what it is for."""

    kind: UseKind
    argument: int = 0
    """-1: it has no name to give."""
    keys: tuple[str, ...] = ()
    """Names of the argument, or of the property that holds it."""
    properties: int = 1
    """Position of an event's properties."""


_CAPTURE = Method(EVENT, 0, ("event",))
_FLAG = Method(FLAG, 0, ("key", "flag"))
_FLAGS = Method(FLAG, -1)
_ERROR = Method(ERROR, -1)
_IDENTIFY = Method(IDENTIFY, -1)
_INIT = Method(INIT, -1)

HOOKS = {
    "useFeatureFlagEnabled": _FLAG,
    "useFeatureFlagVariantKey": _FLAG,
    "useFeatureFlagPayload": _FLAG,
    "useFeatureFlagResult": _FLAG,
    "useFeatureFlag": _FLAG,
    "useActiveFeatureFlags": _FLAGS,
}
SCRIPT = HOOKS | {
    "capture": _CAPTURE,
    "captureImmediate": _CAPTURE,
    "captureException": _ERROR,
    "captureExceptionImmediate": _ERROR,
    "isFeatureEnabled": _FLAG,
    "getFeatureFlag": _FLAG,
    "getFeatureFlagPayload": _FLAG,
    "getFeatureFlagResult": _FLAG,
    "getRemoteConfigPayload": _FLAG,
    "onFeatureFlags": _FLAGS,
    "getAllFlags": _FLAGS,
    "getAllFlagsAndPayloads": _FLAGS,
    "identify": _IDENTIFY,
    "identifyImmediate": _IDENTIFY,
    "init": _INIT,
    "PostHog": _INIT,
    "PostHogFeature": Method(FLAG, 0, ("flag",)),
    "PostHogProvider": _INIT,
}
PYTHON = {
    "capture": Method(EVENT, 0, ("event",), 2),
    "capture_exception": _ERROR,
    "feature_enabled": _FLAG,
    "get_feature_flag": _FLAG,
    "get_feature_flag_payload": _FLAG,
    "get_feature_flag_result": _FLAG,
    "get_remote_config_payload": _FLAG,
    "get_all_flags": _FLAGS,
    "get_all_flags_and_payloads": _FLAGS,
    "identify": _IDENTIFY,
    "Posthog": _INIT,
    "PostHog": _INIT,
    "Client": _INIT,
    "api_key": _INIT,
    "project_api_key": _INIT,
}
RUBY = {
    "capture": Method(EVENT, -1, ("event",)),
    "capture_exception": _ERROR,
    "is_feature_enabled": _FLAG,
    "get_feature_flag": _FLAG,
    "get_feature_flag_payload": _FLAG,
    "get_feature_flag_result": _FLAG,
    "get_remote_config_payload": _FLAG,
    "get_all_flags": _FLAGS,
    "identify": _IDENTIFY,
    "new": _INIT,
    "init": _INIT,
}
GO_MESSAGES = {
    "Capture": Method(EVENT, 0, ("Event",)),
    "Exception": _ERROR,
    "NewDefaultException": _ERROR,
    "Identify": _IDENTIFY,
}
"""What is given to `Enqueue`."""
GO = {
    "IsFeatureEnabled": Method(FLAG, 0, ("Key",)),
    "GetFeatureFlag": Method(FLAG, 0, ("Key",)),
    "GetFeatureFlagPayload": Method(FLAG, 0, ("Key",)),
    "GetFeatureFlagResult": Method(FLAG, 0, ("Key",)),
    "GetRemoteConfigPayload": Method(FLAG, 0, ("Key",)),
    "GetAllFlags": _FLAGS,
    "New": _INIT,
    "NewWithConfig": _INIT,
}


def mentions(text: bytes) -> bool:
    """Whether a text names PostHog. A file that does not, and imports none that does, uses nothing of it."""
    lower = text.lower()
    return b"posthog" in lower or b"post_hog" in lower


_SCRIPT_PACKAGE = re.compile(r"^(?:posthog-[\w-]+|@posthog/[\w.-]+)(?:/.*)?$")
_GO_PACKAGE = re.compile(r"^github\.com/posthog/posthog-go(?:/v\d+)?$", re.IGNORECASE)


def is_script_package(name: str) -> bool:
    return _SCRIPT_PACKAGE.match(name) is not None


def is_go_package(name: str) -> bool:
    return _GO_PACKAGE.match(name) is not None
