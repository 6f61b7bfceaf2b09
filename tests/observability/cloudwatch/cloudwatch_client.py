"""A CloudWatch on its own clock, and a check of every answer against botocore's service model."""

from __future__ import annotations

from typing import Any

import botocore.model
import botocore.validate
import pytest

from labs.errors import AwsError
from labs.observability.cloudwatch.service import CloudWatch
from labs.observability.cloudwatch.wire import from_wire, to_wire
from labs.sim.loop import Loop
from labs.units import MINUTE_NS, parse_rfc3339

START_NS = parse_rfc3339("2026-03-02T09:00:00Z")


class Cloud:
    """CloudWatch as a client sees it: requests and answers fit the service model, times are datetimes."""

    def __init__(self, model: botocore.model.ServiceModel) -> None:
        self._model = model
        self.loop = Loop(START_NS)
        self.watch = CloudWatch(self.loop, "123456789012", "us-east-1")
        self.acted: list[tuple[str, dict[str, Any]]] = []
        self.watch.on_action(lambda arn, message: self.acted.append((arn, message)))

    def __call__(self, action: str, **params: Any) -> dict[str, Any]:
        """The answer, checked, with times as nanoseconds again."""
        answer = self.watch.call(action, from_wire(to_wire(params)))
        shape = self._model.operation_model(action).output_shape
        wired = to_wire(answer)
        if shape is not None:
            report = botocore.validate.ParamValidator().validate(wired, shape)
            assert not report.has_errors(), report.generate_report()
        return from_wire(wired)

    def refusal(self, action: str, **params: Any) -> AwsError:
        """The refusal of a request."""
        with pytest.raises(AwsError) as caught:
            self.watch.call(action, params)
        return caught.value

    def wait(self, minutes: float) -> None:
        """Lets time pass."""
        self.loop.run_until(self.loop.now_ns + round(minutes * MINUTE_NS))
