"""Dashboards and tags."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cloudwatch_client import START_NS, Cloud

from labs.observability.cloudwatch.dashboards import DashboardRefusal

ROW = ["AWS/EC2", "CPUUtilization", "InstanceId", "i-1"]


def metric(*rows: Any, **more: Any) -> dict[str, Any]:
    properties = {"metrics": list(rows or (ROW,)), "region": "us-east-1", **more}
    return {"type": "metric", "x": 0, "y": 0, "width": 6, "height": 6, "properties": properties}


def body(*widgets: Any) -> str:
    return json.dumps({"widgets": widgets})


def test_a_dashboard_lives_from_put_to_delete(cloud: Cloud) -> None:
    text = body(
        metric(ROW, [".", ".", ".", "i-2"], ["..."], [{"expression": "m1*2"}]),
        {
            "type": "text",
            "properties": {"markdown": "# Shop"},
        },
    )
    assert cloud("PutDashboard", DashboardName="shop", DashboardBody=text)["DashboardValidationMessages"] == []
    found = cloud("GetDashboard", DashboardName="shop")
    assert (found["DashboardBody"], found["DashboardArn"]) == (text, "arn:aws:cloudwatch::123456789012:dashboard/shop")
    (entry,) = cloud("ListDashboards", DashboardNamePrefix="sh")["DashboardEntries"]
    assert (entry["Size"], entry["LastModified"]) == (len(text), START_NS)
    assert cloud("ListDashboards", DashboardNamePrefix="x")["DashboardEntries"] == []
    assert cloud.refusal("DeleteDashboards", DashboardNames=["shop", "x"]).http_status == 404
    cloud("DeleteDashboards", DashboardNames=["shop"])
    assert cloud.refusal("GetDashboard", DashboardName="shop").code == "ResourceNotFound"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{", "/"),
        ("[]", "/"),
        ("{}", "/widgets"),
        (body("x"), "/widgets/0"),
        (body({"type": "x"}), "/widgets/0/type"),
        (body({"type": "text"}), "/widgets/0/properties"),
        (body({"type": "text", "properties": {}}), "/widgets/0/properties"),
        (body({**metric(), "width": 25}), "/widgets/0/width"),
        (body({**metric(), "height": 1.5}), "/widgets/0/height"),
        (body(metric(region=None), {"type": "metric", "properties": {"metrics": [ROW]}}), "/widgets/1/properties"),
        (body(metric(view="map")), "/widgets/0/properties/view"),
        (body(metric([])), "/widgets/0/properties/metrics/0"),
        (body(metric(["...", "x"])), "/widgets/0/properties/metrics/0"),
        (body(metric([1, 2])), "/widgets/0/properties/metrics/0"),
        (body(*[metric()] * 501), "/widgets"),
    ],
)
def test_a_bad_body_is_refused_with_its_place(cloud: Cloud, text: str, path: str) -> None:
    refusal = cloud.refusal("PutDashboard", DashboardName="shop", DashboardBody=text)
    assert isinstance(refusal, DashboardRefusal)
    assert (refusal.code, refusal.http_status) == ("InvalidParameterInput", 400)
    assert [message["DataPath"] for message in refusal.validation_messages] == [path]


def test_a_doubtful_row_is_only_a_warning(cloud: Cloud) -> None:
    answer = cloud("PutDashboard", DashboardName="shop", DashboardBody=body(metric(["A", "b", "Pod"])))
    assert [message["DataPath"] for message in answer["DashboardValidationMessages"]] == [
        "/widgets/0/properties/metrics/0"
    ]


@pytest.mark.parametrize("name", ["a b", "ä", "x" * 256])
def test_a_bad_name_is_refused(cloud: Cloud, name: str) -> None:
    assert cloud.refusal("PutDashboard", DashboardName=name, DashboardBody=body()).code == "InvalidParameterValue"


def test_tags_of_a_dashboard(cloud: Cloud) -> None:
    cloud("PutDashboard", DashboardName="shop", DashboardBody=body(), Tags=[{"Key": "a", "Value": "1"}])
    arn = {"ResourceARN": "arn:aws:cloudwatch::123456789012:dashboard/shop"}
    cloud("TagResource", **arn, Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}])
    assert cloud("ListTagsForResource", **arn)["Tags"] == [{"Key": "a", "Value": "3"}, {"Key": "b", "Value": "2"}]
    cloud("UntagResource", **arn, TagKeys=["a", "z"])
    assert cloud("ListTagsForResource", **arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    surplus = [{"Key": f"k{i}", "Value": ""} for i in range(50)]
    assert cloud.refusal("TagResource", **arn, Tags=surplus).code == "InvalidParameterValue"
    unknown = cloud.refusal("ListTagsForResource", ResourceARN="arn:aws:cloudwatch::123456789012:dashboard/x")
    assert (unknown.code, unknown.http_status) == ("ResourceNotFoundException", 404)
