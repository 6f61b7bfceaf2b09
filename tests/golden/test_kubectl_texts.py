"""`kubectl/`: what the real kubectl prints, command after command on one namespace, from this server and a real one.

The recordings' pods were run by a stand-in; so their start-up, load and nodes differ, and what shows them is
normalised (see `normalized`). What still differs stands in DIFFERENT with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from golden.stage import folder
from lab_server import LabServer, Printed

DIFFERENT = {
    "describe hpa web": "the recording's stand-in for metrics-server knows pods before their first metrics",
    "events --for hpa/web": "the recording's stand-in for metrics-server knows pods before their first metrics",
    "describe pdb web": "apply's three writes take no virtual time, so the budget is seen before its first pod",
    "logs deploy/web": "the recording has no kubelet to ask",
    "auth whoami": "the recording's user has a UID from a token file",
}
"""Command, and why it prints something else here."""

PAUSES = {"autoscale": "60s", "create job": "6s"}
"""Virtual time after a command where the recording let time pass before it looked."""
PAUSE = "200ms"

NO_SCALE_DOWN = ("patch", "hpa", "web", "-p", '{"spec":{"behavior":{"scaleDown":{"selectPolicy":"Disabled"}}}}')
BEFORE = {"drain": NO_SCALE_DOWN}
"""A drain takes longer here (its node has more pods): the autoscaler must not act on pods without load by then."""

SUFFIX = "[bcdfghjklmnpqrstvwxz2456789]"
REPLACED = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"(?m)^I\d{4} .*\n", ""),  # the log of --v=6
        (r"(?m)^(golden-node .*|PodCIDRs?:.*)\n", ""),  # never a node; pods on EKS get VPC addresses
        (r"\bContainerCreating\b", "Pending"),  # the stand-in reports no containers before they run
        (r"ip-[0-9-]+\.ec2\.internal|\bgolden-node\b|\bnode-\d+\b", "NODE"),
        (rf"\bweb-{SUFFIX}{{6,10}}-{SUFFIX}{{5}}\b", "web-HASH-POD"),
        (rf"\bweb-{SUFFIX}{{6,10}}\b", "web-HASH"),
        (rf"\b(web|j)-{SUFFIX}{{5}}\b", r"\1-POD"),
        (rf"pod-template-hash={SUFFIX}+", "pod-template-hash=HASH"),
        (r"\b\d+\.\d+\.\d+\.\d+(:\d{5})?\b", "IP"),
        (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000", "DATE"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[0-9.]*( \+0000|Z)", "DATE"),
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID"),
        (r'resourceVersion: "\d+"', 'resourceVersion: "N"'),
        (r"/(LIVE|MERGED)-\d+/", r"/\1/"),
        (r"us-east-1[abc]\b|zone-[abc]\b", "ZONE"),
        (r"us-east-1\b|region-1\b", "REGION"),
        (r"v1\.37\.\d+[-a-z0-9]*", "VERSION"),
        (r"\b\d+d(\d+h)?|\b\d+h(\d+m)?|\b\d+m\d+s|\b\d+s\b", "AGE"),
        (r" \(x\d+ over AGE\)", ""),
        (r"(-|\+)  generation: \d+", r"\1  generation: N"),
        # Load of the recording's pods.
        (r"cpu: (\d+%|<unknown>)/", "cpu: N%/"),
        (r"\d+% \(\d+m\) / ", "N% (Nm) / "),
        (r"averageUtilization: \d+\n( +)averageValue: \d+m", r"averageUtilization: N\n\1averageValue: Nm"),
        (r" {2,}", "  "),
        (r"1/1  Terminating|0/1  Error", "LEAVING"),  # the stand-in's pods take a second to stop
    )
)


@dataclass(frozen=True, slots=True)
class Step:
    """One recording."""

    name: str
    command: str
    text: str
    code: int

    @classmethod
    def read(cls, path: Path) -> Step:
        """From its file."""
        first, _, rest = path.read_text(encoding="utf-8").partition("\n")
        text, _, code = rest.rstrip().rpartition("[exit ")
        return cls(path.stem, first.removeprefix("$ kubectl "), text, int(code.removesuffix("]")))


def steps(config: pytest.Config) -> list[Step]:
    return [Step.read(path) for path in sorted(folder(config, "kubectl").glob("*.txt"))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "step" in metafunc.fixturenames:
        found = steps(metafunc.config)
        metafunc.parametrize("step", found, ids=[step.name for step in found])


def split(command: str) -> list[str]:
    """The arguments of a command that was recorded without its quotes: no cut inside braces."""
    arguments = [""]
    depth = 0
    for character in command:
        depth += (character in "{[") - (character in "}]")
        if character == " " and depth == 0:
            arguments.append("")
        else:
            arguments[-1] += character
    return arguments


def localized(command: str, server: LabServer) -> list[str]:
    """The command with this cluster's own nodes and pods in place of the recorded ones."""
    path = "{.items[0].%s}"
    pods = ("get", "pods", "-n", "shop", "-l", "app=web", "-o")
    if re.search(r"\bnode-\d+\b", command):
        nodes = server.kubectl("get", "nodes", "-o", "jsonpath=" + path % "metadata.name").out
        command = re.sub(r"\bnode-\d+\b", nodes, command)
    if re.search(rf"\bweb-{SUFFIX}{{6,10}}-{SUFFIX}{{5}}\b", command):
        pod = server.kubectl(*pods, "jsonpath=" + path % "metadata.name").out
        command = re.sub(rf"\bweb-{SUFFIX}{{6,10}}-{SUFFIX}{{5}}\b", pod, command)
    return split(command)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[dict[str, Printed]]:
    """What this server's kubectl prints for every step, in order."""
    place = folder(request.config, "kubectl")
    with LabServer(tmp_path_factory.mktemp("lab")) as server:
        server.kubectl("config", "set-context", "--current", "--namespace=shop")
        found = {}
        for step in steps(request.config):
            for start, arguments in BEFORE.items():
                if step.command.startswith(start):
                    server.kubectl(*arguments)
            found[step.name] = server.kubectl(*localized(step.command, server), folder=place, is_merged=True)
            longer = [pause for start, pause in PAUSES.items() if step.command.startswith(start)]
            server.advance(longer[0] if longer else PAUSE)
        yield found


def normalized(command: str, text: str) -> list[str]:
    """The lines without what differs between any two clusters."""
    for pattern, replacement in REPLACED:
        text = pattern.sub(replacement, text)
    lines = text.strip().split("\n")
    if command.startswith("rollout status"):
        return phases(lines)
    if command.startswith("describe node"):
        return [line.partition(":")[0] for line in lines if not line.startswith(" ")]
    if command.startswith(("get nodes", "top ")):
        return sorted({re.sub(r"\S*\d\S*", "N", line) for line in lines})
    if command.startswith(("label ", "drain ")):
        return sorted({re.sub(r"(pod[/ ]|Pods: ).*?( evicted|$)", r"\1POD\2", line) for line in lines})
    return paragraphs(lines) if command.startswith("get ") else lines


def phases(lines: list[str]) -> list[str]:
    """What a rollout waits for, each once, without counts: how many pods start at a time is the nodes' matter."""
    return list(dict.fromkeys(re.sub(r"\d+", "N", line) for line in lines))


def paragraphs(lines: list[str]) -> list[str]:
    """Rows in a fixed order: that of random names says nothing."""
    blocks = "\n".join(lines).split("\n\n")
    return [line for block in blocks for line in [*sorted(block.split("\n")), ""]]


def is_listing(command: str) -> bool:
    """Whether a command lists what a server has: this one has fewer kinds, and Karpenter's."""
    return command.startswith(("api-resources", "api-versions"))


def test_kubectl_prints_what_it_prints_from_a_real_server(step: Step, printed: dict[str, Printed]) -> None:
    here = printed[step.name]
    ours, expected = normalized(step.command, here.out), normalized(step.command, step.text)
    if step.command in DIFFERENT:
        assert (ours, here.code) != (expected, step.code), f"take {step.command!r} out of DIFFERENT: it is equal"
    elif is_listing(step.command):
        own = [line for line in ours if "karpenter" not in line]
        assert own == [line for line in expected if line in own]
        assert len(own) > 10
    else:
        assert (ours, here.code) == (expected, step.code)
