"""The canary: a pod that makes one small visit after another, and tells CloudWatch how each of them went.

Its metrics have the names of CloudWatch Synthetics (``SuccessPercent``, ``Duration``, dimension ``CanaryName``), in a
namespace of its own and with a storage resolution of one second; Synthetics itself runs once a minute at best.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labs.dataplane.network import Connection
from labs.dataplane.process import Surroundings
from labs.dataplane.programs.catalogue import Entry
from labs.dataplane.programs.load import LoadProcess, LoadPrograms, parse_number
from labs.dataplane.traffic.ledger import Ledger
from labs.dataplane.traffic.outcome import OK, Outcome
from labs.dataplane.traffic.policy import Policy
from labs.dataplane.traffic.sources import Beat
from labs.errors import AwsError, UsageError
from labs.units import MILLISECOND_NS, SECOND_NS, to_ns

PutMetricData = Callable[[dict[str, Any]], object]
"""The action of CloudWatch with the members of botocore's model, times in nanoseconds. Raises AwsError."""

NAMESPACE, NAME = "Canary", "shop"
PUBLISH_EVERY_NS = 10 * SECOND_NS
"""One call for many data: CloudWatch bills calls of PutMetricData, and takes up to 1,000 metrics in one."""


class CanaryProcess(LoadProcess):
    """One run of the container."""

    __slots__ = ("_data", "_dimensions", "_is_gone", "_namespace", "_publish", "_published_ns")

    def __init__(
        self,
        around: Surroundings,
        entry: Entry,
        connection: Connection,
        beat: tuple[Ledger, str, int],
        publish: PutMetricData,
    ) -> None:
        ledger, name, period_ns = beat
        source = Beat(around.loop, ledger, name, connection.target, connection.client, period_ns, self._ended)
        super().__init__(around, entry, connection, source, source.start)
        variables = around.environment
        self._namespace = variables.get("METRIC_NAMESPACE", NAMESPACE)
        self._dimensions = [{"Name": "CanaryName", "Value": variables.get("CANARY_NAME", NAME)}]
        self._publish = publish
        self._published_ns = around.loop.now_ns
        self._data: list[dict[str, Any]] = []
        self._is_gone = False

    def _ended(self, intended_ns: int, at_ns: int, outcome: int) -> None:
        loop = self._surroundings.loop
        loop.at(max(at_ns, loop.now_ns), self._note, intended_ns, outcome)

    def _note(self, intended_ns: int, outcome: int) -> None:
        if self._is_gone:
            return
        now_ns = self._surroundings.loop.now_ns
        duration_ms = (now_ns - intended_ns) / MILLISECOND_NS
        if outcome != OK:
            end = Outcome(outcome)
            self._surroundings.log(f"visit failed: {end.status or end.name.lower()} after {duration_ms:.0f} ms")
        self._add("SuccessPercent", 100.0 if outcome == OK else 0.0, "Percent", intended_ns)
        self._add("Duration", duration_ms, "Milliseconds", intended_ns)
        if now_ns - self._published_ns >= PUBLISH_EVERY_NS:
            self._flush()

    def _add(self, metric: str, value: float, unit: str, time_ns: int) -> None:
        self._data.append(
            {
                "MetricName": metric,
                "Dimensions": self._dimensions,
                "Timestamp": time_ns,
                "Value": value,
                "Unit": unit,
                "StorageResolution": 1,
            }
        )

    def _flush(self) -> None:
        data, self._data = self._data, []
        self._published_ns = self._surroundings.loop.now_ns
        try:
            self._publish({"Namespace": self._namespace, "MetricData": data})
        except AwsError as error:
            self._surroundings.log(f"PutMetricData was refused: {error}")
            self.kill()
            self._surroundings.exited(1)

    def terminate(self) -> None:
        """TERM: publish what is left, then end."""
        if self._data:
            self._flush()
        if not self._is_gone:
            super().terminate()

    def kill(self) -> None:
        """No more visits, and what was not published is lost."""
        self._is_gone = True
        super().kill()

    vanish = kill


class Canaries:
    """Builds the processes."""

    def __init__(self, loads: LoadPrograms, publish: PutMetricData | None) -> None:
        self._loads = loads
        self._publish = publish

    def create(self, around: Surroundings, entry: Entry) -> CanaryProcess:
        """A canary of ``TARGET_URL``. Raises UsageError for a wrong variable, and without CloudWatch."""
        if self._publish is None:
            raise UsageError("canary: could not connect to the endpoint of CloudWatch")
        variables = around.environment
        interval_s = parse_number("canary", "INTERVAL_S", variables.get("INTERVAL_S", "1"))
        timeout_s = parse_number("canary", "TIMEOUT_S", variables.get("TIMEOUT_S", "5"))
        if interval_s < 1 or not timeout_s:
            raise UsageError("canary: use an INTERVAL_S from 1 up and a TIMEOUT_S above 0")
        url = variables.get("TARGET_URL", "http://frontend")
        connection, name = self._loads.connect(around, url, Policy(timeout_ns=to_ns(timeout_s)))
        around.log(f"visiting {url} every {interval_s:g} s")
        beat = (self._loads.ledger, name, to_ns(interval_s))
        return CanaryProcess(around, entry, connection, beat, self._publish)
