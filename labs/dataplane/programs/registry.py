"""The map from a container to its program."""

from __future__ import annotations

from collections.abc import Sequence

from labs.dataplane.process import Process, Surroundings
from labs.dataplane.programs.canary import Canaries
from labs.dataplane.programs.catalogue import Entry, entry_for, program_name
from labs.dataplane.programs.idle import IdleProcess, Plan
from labs.dataplane.programs.load import LoadPrograms, parse_ab, parse_fortio
from labs.dataplane.programs.server import Servers
from labs.dataplane.programs.shell import ShellProcess
from labs.dataplane.programs.stress import StressProcess, parse_stress, parse_vish
from labs.dataplane.shell.session import script_of
from labs.errors import UsageError
from labs.units import SECOND_NS, to_ns

_MIB = 1024**2
PREPARATION_NS = 2 * SECOND_NS
"""How long an init container of an unknown program runs."""

TASK_NS = 5 * SECOND_NS
"""How long an unknown command line of a pod that runs to its end takes."""


class ImagePrograms:
    """Creates a process by image, command and catalogue.

    A command line that a shell understands goes before the image's own program, as in a container.
    """

    def __init__(self, servers: Servers, loads: LoadPrograms, canaries: Canaries) -> None:
        self.servers = servers
        self.loads = loads
        self.canaries = canaries

    def create(self, surroundings: Surroundings) -> Process:
        """A process that is not started yet; one that cannot run says why in its log and exits 1."""
        entry = Entry()
        try:
            entry = entry_for(surroundings.pod, surroundings.container)
            return self._create(surroundings, entry)
        except UsageError as error:
            return _idle(surroundings, entry, Plan(SECOND_NS // 10, 1, (str(error),)))

    def forget(self, uid: str, containers: Sequence[str]) -> None:
        """The pod's sandbox is gone."""
        self.servers.forget(uid, containers)

    def _create(self, around: Surroundings, entry: Entry) -> Process:
        arguments = around.arguments
        command = arguments[0].rpartition("/")[2] if arguments else ""
        if command == "ab":
            return self.loads.ab(around, entry, parse_ab(arguments[1:]))
        if entry.kind == "fortio":
            words = arguments[1:] if command == "fortio" else arguments
            if words[:1] == ["load"]:
                return self.loads.fortio(around, entry, parse_fortio(words[1:]))
        if entry.kind == "stress" or command in ("stress", "stress-ng"):
            is_named = command in ("stress", "stress-ng")
            is_stress = is_named or any(word.startswith("--") for word in arguments)
            plan = parse_stress(arguments[is_named:]) if is_stress else parse_vish(arguments)
            return StressProcess(around, plan, self.servers.shape_of(around))
        script = script_of(arguments) if around.container.get("command") or entry.kind == "idle" else None
        if script is not None:
            return ShellProcess(around, entry, script)
        if entry.kind == "server":
            return self.servers.create(around, entry)
        if entry.kind == "shopper":
            return self.loads.shopper(around, entry)
        if entry.kind == "canary":
            return self.canaries.create(around, entry)
        if program_name(around.container["image"]) == "busybox" and not arguments:
            return _idle(around, entry, Plan(0))
        return _idle(around, entry, _unknown(around), startup_ns=to_ns(entry.startup_s))


def _unknown(around: Surroundings) -> Plan:
    """What a program without a model does: idles for ever, or ends well where the pod waits for its end.

    Those are init containers, which prepare, and command lines of a pod that does not start them again: a Job's work.
    """
    spec = around.pod["spec"]
    name = around.container["name"]
    steps = spec.get("initContainers") or ()
    if any(step["name"] == name for step in steps):
        is_sidecar = around.container.get("restartPolicy") == "Always"
        return Plan() if is_sidecar else Plan(PREPARATION_NS)
    is_task = bool(around.arguments) and spec.get("restartPolicy") in ("Never", "OnFailure")
    return Plan(TASK_NS) if is_task else Plan()


def _idle(around: Surroundings, entry: Entry, plan: Plan, startup_ns: int = 0) -> IdleProcess:
    return IdleProcess(around, plan, entry.idle_millicores, round(entry.memory_mib * _MIB), startup_ns)
