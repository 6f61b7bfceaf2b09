"""Reading an autoscaler's spec."""

import pytest

from labs.controlplane.hpa.limits import Policy
from labs.controlplane.hpa.replicas import Tolerances
from labs.controlplane.hpa.spec import DEFAULT_SCALE_UP, HpaOptions, Target, read_behavior, read_spec, read_target


def test_what_a_spec_leaves_out_has_the_api_s_default() -> None:
    spec = read_spec({"maxReplicas": 10})

    assert (spec.minimum, spec.behavior) == (1, None)
    assert [read_target(metric["resource"]["target"]) for metric in spec.metrics] == [Target("Utilization", 80)]
    assert read_spec({"minReplicas": 0, "maxReplicas": 10}).minimum == 0


def test_each_unset_field_of_behavior_is_filled_by_itself() -> None:
    policies = [{"type": "Pods", "value": 2, "periodSeconds": 60}]

    behavior = read_behavior({"scaleDown": {"policies": policies, "selectPolicy": "Min"}})

    assert behavior.scale_up == DEFAULT_SCALE_UP
    assert behavior.scale_down.policies == (Policy("Pods", 2, 60),)
    assert (behavior.scale_down.select_policy, behavior.scale_down.stabilization_window_s) == ("Min", None)


@pytest.mark.parametrize(("text", "up"), [("0.05", 0.05), ("50m", 0.05), ("0", 0.0), ("2", 2.0)])
def test_a_tolerance_of_behavior_replaces_the_flag_in_its_direction(text: str, up: float) -> None:
    spec = read_spec({"maxReplicas": 10, "behavior": {"scaleUp": {"tolerance": text}}})

    assert spec.tolerances(HpaOptions()) == Tolerances(down=0.1, up=up)
    assert spec.tolerances(HpaOptions(is_configurable_tolerance_enabled=False)) == Tolerances(0.1, 0.1)


def test_amounts_of_a_target_are_read_in_thousandths() -> None:
    assert read_target({"type": "AverageValue", "averageValue": "1500m"}).average_value_milli == 1500
    assert read_target({"type": "Value", "value": "2k"}).value_milli == 2_000_000
