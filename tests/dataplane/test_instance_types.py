from __future__ import annotations

import pytest

from labs.dataplane.instance_types import (
    allocatable,
    capacity,
    instance_spec,
    instance_specs,
    max_pods,
    reserved_cpu_millicores,
)
from labs.errors import UsageError


@pytest.mark.parametrize(("vcpus", "millicores"), [(1, 60), (2, 70), (4, 80), (8, 90), (16, 110)])
def test_cpu_reserved_grows_ever_slower(vcpus: int, millicores: int) -> None:
    assert reserved_cpu_millicores(vcpus) == millicores


@pytest.mark.parametrize(
    ("name", "pods"), [("t3.medium", 17), ("m5.large", 29), ("m5.xlarge", 58), ("m5.4xlarge", 234)]
)
def test_pods_follow_network_interfaces(name: str, pods: int) -> None:
    assert max_pods(instance_spec(name)) == pods


def test_allocatable_is_capacity_less_three_reserves() -> None:
    spec = instance_spec("m5.large")
    assert capacity(spec) == {"cpu": "2", "ephemeral-storage": "20Gi", "memory": "7577Mi", "pods": "29"}
    # 8192 - ceil(7.5 %) = 7577; less 11 * 29 + 255 and 100.
    assert allocatable(spec) == {"cpu": "1930m", "ephemeral-storage": "18253611008", "memory": "6903Mi", "pods": "29"}


def test_arm_keeps_another_64_mib() -> None:
    assert capacity(instance_spec("m6g.large"))["memory"] == "7518Mi"


def test_unknown_type_names_its_relatives() -> None:
    with pytest.raises(UsageError, match=r"use m5\.2xlarge, m5\.4xlarge, m5\.large, m5\.xlarge"):
        instance_spec("m5.huge")


def test_table_rows_are_sane() -> None:
    for spec in instance_specs().values():
        assert spec.price_usd_per_hour > 0
        assert spec.memory_mib % 1024 == 0
        assert int(allocatable(spec)["memory"].removesuffix("Mi")) > 0
