"""What a container leaves behind as its last words.

Source: kubernetes pkg/kubelet/kuberuntime/kuberuntime_container.go (getTerminationMessage,
readLastStringFromContainerLogs).
"""

from __future__ import annotations

from labs.dataplane.kubelet.containers import Container
from labs.dataplane.kubelet.machine import TERMINATION_LOG

_BYTES_MAX = 4096
_LOG_BYTES_MAX = 2048
_LOG_LINES_MAX = 80


def termination_message(container: Container, exit_code: int) -> str:
    """The end of the termination file; with FallbackToLogsOnError, after an error, the end of the log."""
    path = container.spec.get("terminationMessagePath") or TERMINATION_LOG
    machine = container.machine
    files = machine.files if machine is not None and machine.has_been_looked_into else None
    written = files.read(path)[-_BYTES_MAX:] if files is not None and files.is_file(path) else b""
    if written:
        return written.decode(errors="replace")
    is_fallback = container.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError"
    if not is_fallback or not exit_code or container.log is None:
        return ""
    return container.log.read(_LOG_LINES_MAX).encode()[-_LOG_BYTES_MAX:].decode(errors="replace")
