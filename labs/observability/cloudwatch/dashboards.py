"""Dashboards: their bodies, checked as far as the published body structure says.

Errors refuse the body (InvalidParameterInput, with ``validation_messages``); warnings are returned with it.
Source: "Dashboard Body Structure and Syntax". Dashboards are global: their ARNs have no region.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labs.errors import AwsError
from labs.observability.cloudwatch.paging import page
from labs.observability.cloudwatch.refusals import invalid_value, require, resource_not_found
from labs.sim.loop import Loop

DASHBOARDS_PER_PAGE = 300
MOST_WIDGETS = 500
MOST_METRICS_OF_WIDGET = 500
WIDGET_TYPES = ("metric", "text", "log", "alarm", "explorer", "custom")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_VIEWS = ("timeSeries", "singleValue", "gauge", "bar", "pie", "table")
_SIZES = {"x": (0, 23), "y": (0, None), "width": (1, 24), "height": (1, 1000)}
_NEEDED = {"text": "markdown", "log": "query", "alarm": "alarms", "custom": "endpoint"}


class DashboardRefusal(AwsError):
    """InvalidParameterInput with the messages that say what is wrong where."""

    def __init__(self, messages: list[dict[str, str]]) -> None:
        super().__init__("InvalidParameterInput", "The dashboard body is invalid, see the validation messages.")
        self.validation_messages = messages


@dataclass(slots=True)
class Dashboard:
    """One dashboard; ``body`` is kept as it was sent."""

    name: str
    body: str
    modified_ns: int
    tags: dict[str, str] = field(default_factory=dict)


class Dashboards:
    """All dashboards of an account; each action takes and returns the shapes of the service model."""

    def __init__(self, loop: Loop, account_id: str) -> None:
        self._loop = loop
        self._account_id = account_id
        self._dashboards: dict[str, Dashboard] = {}

    def arn(self, name: str) -> str:
        """The ARN that a dashboard of this name has."""
        return f"arn:aws:cloudwatch::{self._account_id}:dashboard/{name}"

    def find(self, name: str) -> Dashboard | None:
        """The dashboard of that name."""
        return self._dashboards.get(name)

    def put_dashboard(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Creates or replaces a dashboard."""
        require(params, "DashboardName", "DashboardBody")
        name, body = params["DashboardName"], params["DashboardBody"]
        if not _NAME.fullmatch(name):
            raise invalid_value(f"The value {name} for field DashboardName contains invalid characters.")
        warnings = validate_body(body)
        old = self._dashboards.get(name)
        tags = {tag["Key"]: tag.get("Value", "") for tag in params.get("Tags") or ()}
        self._dashboards[name] = Dashboard(name, body, self._loop.now_ns, tags if old is None else old.tags)
        return {"DashboardValidationMessages": warnings}

    def get_dashboard(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """One dashboard."""
        require(params, "DashboardName")
        dashboard = self._dashboards.get(params["DashboardName"])
        if dashboard is None:
            raise _not_found(params["DashboardName"])
        return {
            "DashboardArn": self.arn(dashboard.name),
            "DashboardBody": dashboard.body,
            "DashboardName": dashboard.name,
        }

    def list_dashboards(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Dashboards in order of their names."""
        prefix = params.get("DashboardNamePrefix") or ""
        names = [name for name in sorted(self._dashboards) if name.startswith(prefix)]
        shown, more = page(params, names, DASHBOARDS_PER_PAGE)
        return {"DashboardEntries": [self._entry(self._dashboards[name]) for name in shown], **more}

    def delete_dashboards(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Deletes all named dashboards, or none when one is unknown."""
        require(params, "DashboardNames")
        for name in params["DashboardNames"]:
            if name not in self._dashboards:
                raise _not_found(name)
        for name in params["DashboardNames"]:
            self._dashboards.pop(name, None)
        return {}

    def _entry(self, dashboard: Dashboard) -> dict[str, Any]:
        return {
            "DashboardName": dashboard.name,
            "DashboardArn": self.arn(dashboard.name),
            "LastModified": dashboard.modified_ns,
            "Size": len(dashboard.body.encode()),
        }


def _not_found(name: str) -> AwsError:
    return resource_not_found(f"Dashboard {name} does not exist")


def validate_body(body: str) -> list[dict[str, str]]:
    """The warnings of a body. Raises DashboardRefusal when it has errors."""
    try:
        parsed = json.loads(body)
    except ValueError as error:
        raise DashboardRefusal([_message("/", "The field DashboardBody must be a valid JSON object")]) from error
    if not isinstance(parsed, dict):
        raise DashboardRefusal([_message("/", "The field DashboardBody must be a valid JSON object")])
    if not isinstance(parsed.get("widgets"), list):
        raise DashboardRefusal([_message("/widgets", "The field widgets is required and must be an array")])
    if len(parsed["widgets"]) > MOST_WIDGETS:
        raise DashboardRefusal([_message("/widgets", f"Should NOT have more than {MOST_WIDGETS} items")])
    errors: list[dict[str, str]] = []
    warnings: list[dict[str, str]] = []
    for place, widget in enumerate(parsed["widgets"]):
        _check_widget(widget, f"/widgets/{place}", errors, warnings)
    if errors:
        raise DashboardRefusal(errors)
    return warnings


def _message(path: str, text: str) -> dict[str, str]:
    return {"DataPath": path, "Message": text}


def _check_widget(widget: object, path: str, errors: list[dict[str, str]], warnings: list[dict[str, str]]) -> None:
    if not isinstance(widget, dict):
        errors.append(_message(path, "Should be an object"))
        return
    kind = widget.get("type")
    if kind not in WIDGET_TYPES:
        errors.append(_message(f"{path}/type", f"Should be one of {', '.join(WIDGET_TYPES)}"))
        return
    for name, (least, most) in _SIZES.items():
        value = widget.get(name)
        if value is not None and not _is_between(value, least, most):
            errors.append(_message(f"{path}/{name}", f"Should be a whole number from {least} to {most or 'any'}"))
    properties = widget.get("properties")
    if not isinstance(properties, dict):
        errors.append(_message(f"{path}/properties", "Should have required property 'properties'"))
        return
    needed = _NEEDED.get(kind)
    if needed is not None and needed not in properties:
        errors.append(_message(f"{path}/properties", f"Should have required property '{needed}'"))
    if kind == "metric":
        _check_metric_widget(properties, f"{path}/properties", errors, warnings)


def _is_between(value: object, least: int, most: int | None) -> bool:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return is_whole and least <= value and (most is None or value <= most)  # type: ignore[operator]


def _check_metric_widget(
    properties: Mapping[str, Any], path: str, errors: list[dict[str, str]], warnings: list[dict[str, str]]
) -> None:
    metrics = properties.get("metrics")
    if metrics is None and "annotations" not in properties:
        errors.append(_message(path, "Should have required property 'metrics'"))
    if "region" not in properties:
        errors.append(_message(path, "Should have required property 'region'"))
    if properties.get("view", "timeSeries") not in _VIEWS:
        errors.append(_message(f"{path}/view", f"Should be one of {', '.join(_VIEWS)}"))
    if metrics is None:
        return
    if not isinstance(metrics, list) or len(metrics) > MOST_METRICS_OF_WIDGET:
        errors.append(_message(f"{path}/metrics", f"Should be an array of up to {MOST_METRICS_OF_WIDGET} items"))
        return
    for place, row in enumerate(metrics):
        _check_row(row, place, f"{path}/metrics/{place}", errors, warnings)


def _check_row(
    row: object, place: int, path: str, errors: list[dict[str, str]], warnings: list[dict[str, str]]
) -> None:
    if not isinstance(row, list) or not row:
        errors.append(_message(path, "Should be an array with at least one item"))
        return
    texts = row[:-1] if isinstance(row[-1], dict) else row
    if not texts:
        if "expression" not in row[-1]:
            errors.append(_message(path, "Should have a metric or an expression"))
        return
    if not all(isinstance(text, str) for text in texts):
        errors.append(_message(path, "Should hold texts, and at most one object as the last item"))
    elif place == 0 and any(text in (".", "...") for text in texts):
        errors.append(_message(path, "The first metric has no metric above it to repeat"))
    elif "..." not in texts and len(texts) % 2:
        warnings.append(_message(path, "A metric should have a namespace, a name and pairs of dimensions"))
