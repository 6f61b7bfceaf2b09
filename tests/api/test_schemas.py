"""The published definitions: kinds, fields, patch and list rules."""

import pytest

from labs.api.schemas import Definition, definition, definitions


def pod_spec() -> Definition:
    pod = definition("", "v1", "Pod")
    assert pod is not None
    return pod.field("spec").value


def test_every_built_in_kind_has_its_definition() -> None:
    for kind in (("apps", "v1", "Deployment"), ("autoscaling", "v2", "HorizontalPodAutoscaler"), ("", "v1", "Event")):
        found = definition(*kind)
        assert found is not None
        assert found.name == kind[2]


def test_a_custom_kind_has_none() -> None:
    assert definition("karpenter.sh", "v1", "NodePool") is None


def test_fields_tell_how_they_are_patched() -> None:
    volumes, tolerations = pod_spec().field("volumes"), pod_spec().field("tolerations")

    assert (volumes.patch_strategies, volumes.patch_merge_key) == (("merge", "retainKeys"), "name")
    assert (tolerations.patch_strategies, tolerations.list_type) == ((), "atomic")
    assert pod_spec().field("containers").element.field("ports").list_map_keys == ("containerPort", "protocol")


def test_a_map_takes_any_key_and_a_struct_does_not() -> None:
    assert pod_spec().field("nodeSelector").value.has_field("anything")
    with pytest.raises(ValueError, match='unable to find api field in struct PodSpec for the json field "anything"'):
        pod_spec().field("anything")


def test_definitions_are_those_of_one_release() -> None:
    assert "io.k8s.api.apps.v1.Deployment" in definitions()
