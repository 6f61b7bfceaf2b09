"""Real EC2 instance types, and what a node of each can give to pods.

Source of the sums: aws/karpenter-provider-aws pkg/providers/instancetype/types.go; the EKS AMI's bootstrap
reserves the same. Source of the rows: data/instance_types.json.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from labs.errors import UsageError

VM_MEMORY_OVERHEAD_PER_MILLE = 75
ARM_MEMORY_OVERHEAD_MIB = 64
EVICTION_MEMORY_MIB = 100
ROOT_VOLUME_GIB = 20
RESERVED_STORAGE_GIB = 1
EVICTION_STORAGE_PERCENT = 10

_CPU_RESERVED_PER_MILLE = ((1, 60), (1, 10), (2, 5))
_CPU_RESERVED_PER_10_000_OF_REST = 25
_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """One row of the table."""

    name: str
    arch: str
    vcpus: int
    memory_mib: int
    enis: int
    ipv4_per_eni: int
    price_usd_per_hour: float


@cache
def instance_specs() -> dict[str, InstanceSpec]:
    """Every row by name, in order of name."""
    table = json.loads(files("labs.dataplane").joinpath("data/instance_types.json").read_text("utf-8"))
    specs = [InstanceSpec(*row) for row in table["rows"]]
    return {spec.name: spec for spec in sorted(specs, key=lambda spec: spec.name)}


def instance_spec(name: str) -> InstanceSpec:
    """The row of a type. Raises UsageError when the table has none."""
    try:
        return instance_specs()[name]
    except KeyError:
        near = ", ".join(known for known in instance_specs() if known.split(".")[0] == name.split(".")[0])
        raise UsageError(f"{name!r} is not in the table of instance types; use {near or 'm5.large'}.") from None


def max_pods(spec: InstanceSpec) -> int:
    """Pods that the VPC CNI can give an address: each ENI keeps one for itself, two pods use the host's."""
    return spec.enis * (spec.ipv4_per_eni - 1) + 2


def capacity(spec: InstanceSpec) -> dict[str, str]:
    """``status.capacity`` of a node of this type."""
    return {
        "cpu": str(spec.vcpus),
        "ephemeral-storage": f"{ROOT_VOLUME_GIB}Gi",
        "memory": f"{_memory_mib(spec)}Mi",
        "pods": str(max_pods(spec)),
    }


def allocatable(spec: InstanceSpec) -> dict[str, str]:
    """``status.allocatable``: capacity less what the kubelet, the system and the eviction threshold keep."""
    storage = ROOT_VOLUME_GIB * _GIB * (100 - EVICTION_STORAGE_PERCENT) // 100 - RESERVED_STORAGE_GIB * _GIB
    memory_mib = _memory_mib(spec) - reserved_memory_mib(spec) - EVICTION_MEMORY_MIB
    return {
        "cpu": f"{spec.vcpus * 1000 - reserved_cpu_millicores(spec.vcpus)}m",
        "ephemeral-storage": str(storage),
        "memory": f"{memory_mib}Mi",
        "pods": str(max_pods(spec)),
    }


def reserved_cpu_millicores(vcpus: int) -> int:
    """6 % of the first core, 1 % of the second, 0.5 % of the next two, 0.25 % of the rest; each part truncated."""
    reserved, left = 0, vcpus
    for cores, per_mille in _CPU_RESERVED_PER_MILLE:
        part = min(left, cores)
        reserved += part * per_mille
        left -= part
    return reserved + left * _CPU_RESERVED_PER_10_000_OF_REST // 10


def reserved_memory_mib(spec: InstanceSpec) -> int:
    """11 MiB for each pod that fits, and 255 MiB."""
    return 11 * max_pods(spec) + 255


def _memory_mib(spec: InstanceSpec) -> int:
    # What the hypervisor and the kernel keep is known only from a running instance; this is the estimate.
    mib = spec.memory_mib - (ARM_MEMORY_OVERHEAD_MIB if spec.arch == "arm64" else 0)
    return mib - -(-mib * VM_MEMORY_OVERHEAD_PER_MILLE // 1000)
