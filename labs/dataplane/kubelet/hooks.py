"""Lifecycle hooks: how long a preStop hook takes."""

from __future__ import annotations

import re

from labs.api.store import Object
from labs.units import MILLISECOND_NS, SECOND_NS

_SLEEP = re.compile(r"\bsleep\s+([0-9]+(?:\.[0-9]+)?)")
_EXEC_NS = 50 * MILLISECOND_NS
"""Starting a process in a container; a hook that does not sleep is over after that."""


def pre_stop_ns(container: Object) -> int | None:
    """Length of the container's preStop hook, None when it has none: its ``sleep``, whichever way it is written."""
    hook = (container.get("lifecycle") or {}).get("preStop")
    if not hook:
        return None
    if "sleep" in hook:
        return int(hook["sleep"]["seconds"]) * SECOND_NS
    text = " ".join((hook.get("exec") or {}).get("command") or [])
    return _EXEC_NS + sum(round(float(length) * SECOND_NS) for length in _SLEEP.findall(text))
