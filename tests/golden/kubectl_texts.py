"""`kubectl/`: what the real kubectl prints, command after command on one namespace, from this server and a real one.

The recordings' pods were run by a stand-in; so their start-up, load and nodes differ, and what shows them is
normalised (see `normalized`). A folder that holds only some of the steps is compared as a part of the whole session:
the committed steps come before, between and after them by their numbers, for they make the state that others read.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from golden.comparison import Case, Field, fields, sequence
from golden.stage import DATA
from golden.standing import SUFFIX, comparable
from lab_server import LabServer, Printed

FOLDER = "kubectl"
INPUTS = "*.yaml"
PAUSES = {"autoscale": "60s", "create job": "6s"}
"""Virtual time after a command where the recording let time pass before it looked."""
PAUSE = "200ms"
NO_SCALE_DOWN = ("patch", "hpa", "web", "-p", '{"spec":{"behavior":{"scaleDown":{"selectPolicy":"Disabled"}}}}')
BEFORE = {"drain": NO_SCALE_DOWN}
"""A drain takes longer here (its node has more pods): the autoscaler must not act on pods without load by then."""
KUBELETS_REASONS = "Pulling|Pulled|Created|Started|Killing|Unhealthy|BackOff|Failed|FailedMount"
POD = rf"\bweb-{SUFFIX}{{6,10}}-{SUFFIX}{{5}}\b"
REPLICA_SET = rf"\bweb-{SUFFIX}{{6,10}}\b(?!-)"
REPLACED = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"(?m)^[IE]\d{4} .*\n", ""),  # the log of --v=6
        (r"(?m)^(golden-node .*|PodCIDRs?:.*)\n", ""),  # never a node; pods on EKS get VPC addresses
        (rf"(?m)^.*\b(Normal|Warning) +({KUBELETS_REASONS})\b.*\n", ""),  # the stand-in reports no events
        (r"\bContainerCreating\b", "Pending"),  # the stand-in reports no containers before they run
        (r"(?m)^( +)(Container ID|Image ID|Started|Finished|Exit Code): .*$", r"\1\2: X"),
        (r"ip-[0-9-]+\.ec2\.internal|\bgolden-node\b|\bnode-\d+\b", "NODE"),
        (rf"kube-api-access-{SUFFIX}{{5}}", "kube-api-access-CHANCE"),
        (POD, "web-HASH-POD"),
        (REPLICA_SET, "web-HASH"),
        (rf"\b(web|j)-{SUFFIX}{{5}}\b", r"\1-POD"),
        (rf"pod-template-hash(=|: ){SUFFIX}+", r"pod-template-hash\1HASH"),
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

    path: Path
    command: str
    text: str
    code: int

    @classmethod
    def read(cls, path: Path) -> Step:
        """From its file."""
        first, _, rest = path.read_text(encoding="utf-8").partition("\n")
        text, _, code = rest.rstrip().rpartition("[exit ")
        return cls(path, first.removeprefix("$ kubectl "), text, int(code.removesuffix("]")))

    @property
    def name(self) -> str:
        """Its number and command, as the file is called."""
        return self.path.stem


def cases(root: Path) -> Iterator[Case]:
    """One for each step."""
    given = tuple((root / FOLDER).glob(INPUTS))
    for path in steps_of(root):
        yield Case(FOLDER, path.stem, (path, *given), lambda path=path: compare(root, Step.read(path)))


def steps_of(root: Path) -> list[Path]:
    return sorted((root / FOLDER).glob("*.txt"), key=number)


def number(path: Path) -> tuple[int, str]:
    """Place in the session; what has no number comes last."""
    digits = re.match(r"\d+", path.name)
    return (int(digits[0]) if digits else 10**6, path.name)


def compare(root: Path, step: Step) -> Iterator[Field]:
    """Exit code, and the lines or, of `-o yaml` and `-o json`, the fields."""
    here = session(root)[step.name]
    yield Field("exit code", here.code, step.code)
    documents = [as_object(text) for text in (here.out, step.text)]
    if all(documents):
        yield from fields(*map(comparable, documents))
    elif step.command.startswith(("api-resources", "api-versions")):
        ours = [line for line in normalized(step.command, here.out) if "karpenter" not in line]
        yield from sequence(ours, normalized(step.command, step.text), "line")
    else:
        yield from sequence(normalized(step.command, here.out), normalized(step.command, step.text), "line")


def as_object(text: str) -> dict[str, Any]:
    """A printed object or list; empty if the text is none."""
    if not text.startswith(("apiVersion:", "{")):
        return {}
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return loaded if isinstance(loaded, dict) and "kind" in loaded and "metadata" in loaded else {}


@cache
def session(root: Path) -> dict[str, Printed]:
    """What this server's kubectl prints for every step, in order."""
    chosen = {path.name: path for place in dict.fromkeys((DATA, root)) for path in steps_of(place)}
    found = {}
    with tempfile.TemporaryDirectory() as directory, LabServer(Path(directory)) as server:
        server.kubectl("config", "set-context", "--current", "--namespace=shop")
        for path in sorted(chosen.values(), key=number):
            step = Step.read(path)
            folder = path.parent if any(path.parent.glob(INPUTS)) else DATA / FOLDER
            for start, arguments in BEFORE.items():
                if step.command.startswith(start):
                    server.kubectl(*arguments)
            found[step.name] = server.kubectl(*localized(step.command, server), folder=folder, is_merged=True)
            longer = [pause for start, pause in PAUSES.items() if step.command.startswith(start)]
            server.advance(longer[0] if longer else PAUSE)
    return found


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
    """The command with this cluster's own nodes, pods and replica sets in place of the recorded ones."""
    for pattern, kind in ((r"\bnode-\d+\b", "nodes"), (POD, "pods"), (REPLICA_SET, "rs")):
        if re.search(pattern, command):
            listed = json.loads(server.kubectl("get", kind, "-n", "shop", "-o", "json").out)["items"]
            names = [
                item["metadata"]["name"] for item in listed if item["metadata"]["name"].startswith(("web-", "ip-"))
            ]
            command = re.sub(pattern, names[0], command)
    return split(command)


def normalized(command: str, text: str) -> list[str]:
    """The lines without what differs between any two clusters."""
    for pattern, replacement in REPLACED:
        text = pattern.sub(replacement, text)
    lines = text.strip().split("\n")
    if command.startswith("rollout status"):
        return phases(lines)
    if command.startswith("describe node"):
        return [line.partition(":")[0] for line in lines if not line.startswith(" ")]
    if command.startswith(("get nodes", "get no ", "top ")):
        return sorted({re.sub(r"\S*\d\S*", "N", line) for line in lines})
    if command.startswith(("label ", "annotate pod", "drain ")):
        return sorted({re.sub(r"(pod[/ ]|Pods: ).*?( evicted|$)", r"\1POD\2", line) for line in lines})
    if command.startswith(("get events", "events")):
        return sorted(dict.fromkeys(lines))
    return paragraphs(lines) if command.startswith("get ") else lines


def phases(lines: list[str]) -> list[str]:
    """What a rollout waits for, each once, without counts: how many pods start at a time is the nodes' matter."""
    return list(dict.fromkeys(re.sub(r"\d+", "N", line) for line in lines))


def paragraphs(lines: list[str]) -> list[str]:
    """Rows in a fixed order: that of random names says nothing."""
    blocks = "\n".join(lines).split("\n\n")
    return [line for block in blocks for line in [*sorted(block.split("\n")), ""]]
