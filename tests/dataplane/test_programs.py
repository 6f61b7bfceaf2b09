from __future__ import annotations

import json
import re

import pytest
from shop_rig import Shop, build_shop, build_whole_shop

from labs.api.store import WatchEvent
from labs.dataplane.images import full_name, go_duration, image_id, image_size_bytes
from labs.dataplane.logs import LogOptions
from labs.dataplane.programs.catalogue import DEMAND_ANNOTATION, entry_for, parse_entry, program_name
from labs.dataplane.programs.load import LoadPlan, parse_ab, parse_fortio, rate_profile
from labs.dataplane.shell.session import script_of
from labs.dataplane.stats import ContainerStats
from labs.errors import ApiError, UsageError
from labs.units import SECOND_NS


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("fortio/fortio:1.69", "docker.io/fortio/fortio:1.69"),
        ("public.ecr.aws/shop/frontend", "public.ecr.aws/shop/frontend:latest"),
        ("localhost:5000/x:1", "localhost:5000/x:1"),
    ],
)
def test_image_names_are_written_in_full(image: str, name: str) -> None:
    assert full_name(image) == name
    assert image_id(image).startswith(name.rpartition(":")[0] + "@sha256:")


def test_tags_of_one_repository_have_one_size() -> None:
    assert image_size_bytes("example.com/a:1") == image_size_bytes("example.com/a:2") > 0
    assert image_size_bytes("busybox:1.36") < image_size_bytes("postgres:17")


@pytest.mark.parametrize(
    ("ns", "text"), [(0, "0s"), (612_000_000, "612ms"), (1_500_000_000, "1.5s"), (62 * SECOND_NS, "1m2s")]
)
def test_durations_of_pulls_print_as_in_go(ns: int, text: str) -> None:
    assert go_duration(ns) == text


@pytest.mark.parametrize(
    ("arguments", "is_known"),
    [
        (["sleep", "30"], True),
        (["sh", "-c", "echo hi; sleep 2m; exit 3"], True),
        (["/bin/sh", "-c", "while true; do date; sleep 1; done"], True),
        (["sh", "-c", "exec /app/server"], True),
        (["sh", "-c", "/app/server --port 80"], False),
        (["sh", "-c", "case $1 in a) echo;; esac"], False),
        (["sh", "-c", "until [ $(wget -qO- http://web | awk '{print $1}') = up ]; do sleep 1; done"], False),
        (["sh", "-c", 'for x in "it\'s `seq 3 | perl -n`"; do echo $x; done'], False),
        (["sh", "-c", "name=$(hostname); echo '$(awk)' \\$ $((1 + 2))"], True),
        (["/app/server", "--port", "80"], False),
        ([], False),
    ],
)
def test_shell_lines_are_understood_when_every_command_is_known(arguments: list[str], is_known: bool) -> None:
    assert (script_of(arguments) is not None) == is_known


def test_ab_options_are_read_as_ab_reads_them() -> None:
    assert parse_ab(["-n", "10000", "-c100", "-k", "http://x/"]) == LoadPlan("http://x/", 10000, 100, 0.0, 30.0, True)
    assert parse_ab(["-r", "http://x/"]).requests == 1
    for wrong in (
        ["-n", "5", "-c", "9", "http://x/"],
        ["-n", "5"],
        ["-j", "http://x/"],
        ["shop"],
        ["-n", "x", "http://x/"],
    ):
        with pytest.raises(UsageError):
            parse_ab(wrong)


def test_fortio_options_are_read() -> None:
    plan = parse_fortio(["-qps", "50", "-c=8", "-t", "2m", "http://x/"])
    assert (plan.requests, plan.concurrency, plan.qps) == (6000, 8, 50.0)
    for wrong in ([], ["-qps", "many", "http://x/"], ["-t", "soon", "http://x/"]):
        with pytest.raises(UsageError):
            parse_fortio(wrong)


def test_visitors_profile_is_a_rate_or_steps() -> None:
    assert rate_profile({"RATE_PER_S": "40"}).rates_per_s == (40.0,)
    steps = rate_profile({"PROFILE": "0s:40, 10m:80", "PROFILE_PERIOD": "24h"})
    assert (steps.starts_s, steps.rates_per_s, steps.period_s) == ((0.0, 600.0), (40.0, 80.0), 86400.0)
    for wrong in ({"RATE_PER_S": "many"}, {"RATE_PER_S": "-1"}, {"PROFILE": "0s"}, {"PROFILE": "5m:1"}):
        with pytest.raises(UsageError):
            rate_profile(wrong)


def test_catalogue_rows_are_typed() -> None:
    for image in ("frontend", "backend", "rds-proxy", "nginx", "httpd", "shopper", "fortio", "busybox"):
        assert entry_for({"metadata": {}}, {"image": f"example.com/{image}:1"}).about or image == "busybox"
    assert program_name("example.com:5000/team/frontend@sha256:00") == "frontend"
    with pytest.raises(UsageError, match="no field 'cpu'"):
        parse_entry({"cpu": 1})
    with pytest.raises(UsageError, match="'workers'"):
        parse_entry({"workers": "many"})


@pytest.mark.parametrize("annotation", ["{", "[]", '{"cpu_ms": "fast"}', '{"on_term": "dance"}', '{"calls": [3]}'])
def test_annotation_that_cannot_be_used_is_said_in_the_log(annotation: str) -> None:
    shop = build_shop()
    shop.pod("frontend-0", "frontend", annotations={DEMAND_ANNOTATION: annotation}, restartPolicy="Never")
    shop.run(20)
    assert shop.phase("frontend-0") == "Failed"
    assert shop.log("frontend-0").strip()


def test_unknown_host_ends_the_program_as_a_resolver_error_does() -> None:
    shop = build_shop()
    shop.pod("ab-0", "httpd:2.4", restartPolicy="Never", container={"command": ["ab", "http://shop.example.com/"]})
    shop.run(20)
    assert shop.phase("ab-0") == "Failed"
    assert "Name or service not known" in shop.log("ab-0")


@pytest.mark.parametrize("url", ["http://shop:many/", "http://[::1/", "http:///"])
def test_url_that_is_none_ends_the_program(url: str) -> None:
    shop = build_shop()
    shop.pod("ab-0", "httpd:2.4", restartPolicy="Never", container={"command": ["ab", url]})
    shop.pod(
        "frontend-0", "frontend", restartPolicy="Never", container={"env": [{"name": "BACKEND_URL", "value": url}]}
    )
    shop.run(20)
    assert (shop.phase("ab-0"), shop.phase("frontend-0")) == ("Failed", "Failed")


def test_ab_reports_exactly_its_requests_and_exits_0() -> None:
    shop = build_whole_shop()
    command = ["ab", "-n", "2000", "-c", "20", "http://shop.example.com/"]
    shop.pod("ab-0", "httpd:2.4", restartPolicy="Never", container={"command": command})
    shop.run(60)
    assert shop.phase("ab-0") == "Succeeded"
    report = shop.log("ab-0")
    assert re.search(r"^Complete requests:      2000$", report, re.M)
    assert re.search(r"^Failed requests:        0$", report, re.M)
    assert re.search(r"^Finished 2000 requests$", report, re.M)
    percentiles = [int(value) for value in re.findall(r"^ *\d+% +(\d+)", report, re.M)]
    assert len(percentiles) == 9
    assert percentiles == sorted(percentiles)
    account = shop.dataplane.ledger.conservation()
    assert (account.arrived, account.answered, account.in_flight) == (2000, 2000, 0)


def test_fortio_prints_codes_and_percentiles() -> None:
    shop = build_whole_shop(frontends=2)
    container = {"args": ["load", "-qps", "50", "-c", "4", "-t", "10s", "http://frontend/"]}
    shop.pod("fortio-0", "fortio/fortio:1.69", restartPolicy="Never", container=container)
    shop.run(40)
    report = shop.log("fortio-0")
    assert "Code 200 : 500 (100.0 %)" in report
    assert "# target 99% " in report


def test_server_listens_only_after_its_start_up() -> None:
    shop = build_shop()
    shop.service("frontend")
    shop.service("backend")
    shop.frontends(1, {"startup_s": 10, "startup_sigma": 0.0})
    shop.run(9)
    assert shop.phase("frontend-0") == "Running"
    ready = next(item for item in _conditions(shop, "frontend-0") if item["type"] == "Ready")
    assert ready["status"] == "False"
    shop.run(10)
    ready = next(item for item in _conditions(shop, "frontend-0") if item["type"] == "Ready")
    assert ready["status"] == "True"
    assert shop.log("frontend-0") == "listening on port 8080\n"


def _conditions(shop: Shop, name: str) -> list[dict[str, str]]:
    pod = shop.client.require("pods", "default", name)
    return list(pod["status"]["conditions"])


def test_draining_server_finishes_its_calls_and_exits_0() -> None:
    shop = build_whole_shop(demand={"on_term": "drain", "cpu_ms": 400, "shape": "fixed"})
    command = ["ab", "-n", "400", "-c", "20", "http://frontend/"]
    shop.pod("ab-0", "httpd:2.4", restartPolicy="Never", container={"command": command})
    shop.run(5)
    ends: list[int] = []

    def look(event: WatchEvent) -> None:
        pod = event.object
        for entry in (pod.get("status") or {}).get("containerStatuses") or ():
            ended = entry["state"].get("terminated")
            if pod["metadata"]["name"] == "frontend-0" and ended:
                ends.append(ended["exitCode"])

    shop.client.subscribe("pods", look)
    shop.delete("frontend-0")
    shop.run(60)
    assert set(ends) == {0}
    assert "RESET" not in shop.outcomes()


def test_overloaded_server_does_not_answer_its_probe() -> None:
    demand = {"workers": 2, "queue_limit": 2, "cpu_ms": 3000, "shape": "fixed"}
    shop = build_whole_shop(frontends=1, demand=demand)
    shop.shoppers(20)
    shop.run(30)
    messages = [event["message"] for event in shop.client.list("events") if event["reason"] == "Unhealthy"]
    assert any("context deadline exceeded" in message for message in messages)


def test_cpu_of_a_server_is_what_its_requests_took() -> None:
    shop = build_whole_shop(frontends=1, demand={"cpu_ms": 10, "shape": "fixed", "cold_requests": 0})
    shop.run(20)
    before = {item.pod: item for item in _containers(shop)}["frontend-0"]
    served = len(shop.dataplane.ledger)
    shop.shoppers(30)
    shop.run(60)
    after = {item.pod: item for item in _containers(shop)}["frontend-0"]
    window_s = (after.timestamp_ns - before.timestamp_ns) / 1e9
    assert window_s % 10 == pytest.approx(0)
    rows = shop.dataplane.ledger.rows(served)
    count = int((rows["finished_ns"] <= after.timestamp_ns).sum())
    used_ms = (after.cpu_used_ns - before.cpu_used_ns) / 1e6
    assert used_ms == pytest.approx(10 * count + 3 * window_s, rel=0.01)
    node = shop.dataplane.stats.summary(shop.nodes[0])
    assert node is not None
    assert node.cpu_used_ns >= after.cpu_used_ns - before.cpu_used_ns
    assert node.cpu_capacity_millicores == 4000


def _containers(shop: Shop) -> list[ContainerStats]:
    dataplane = shop.dataplane
    summaries = [dataplane.stats.summary(node) for node in dataplane.stats.nodes()]
    return [item for summary in summaries if summary is not None for item in summary.containers]


def test_logs_answer_as_the_api_does() -> None:
    shop = build_shop()
    command = ["sh", "-c", "echo one; echo two; sleep 1; exit 1"]
    shop.pod("job-0", "busybox:1.36", container={"command": command})
    logs = shop.dataplane.logs
    with pytest.raises(ApiError, match='container "main" in pod "job-0" is waiting to start: ContainerCreating'):
        logs.read("default", "job-0")
    shop.run(6)
    assert logs.read("default", "job-0") == "one\ntwo\n"
    assert logs.read("default", "job-0", options=LogOptions(is_previous=True)) == "one\ntwo\n"
    assert logs.read("default", "job-0", options=LogOptions(tail_lines=1)) == "two\n"
    with pytest.raises(ApiError, match="container nobody is not valid for pod job-0"):
        logs.read("default", "job-0", "nobody")
    with pytest.raises(ApiError) as missing:
        logs.read("default", "ghost")
    assert missing.value.code == 404
    kubelet = shop.dataplane.kubelets.get(shop.nodes[0])
    assert kubelet is not None
    kubelet.disconnect()
    with pytest.raises(ApiError, match="i/o timeout"):
        logs.read("default", "job-0")


def test_demand_annotation_is_plain_json() -> None:
    pod = {"metadata": {"annotations": {DEMAND_ANNOTATION: json.dumps({"cpu_ms": 25, "workers": 3})}}}
    entry = entry_for(pod, {"image": "frontend"})
    assert (entry.cpu_ms, entry.workers, entry.kind) == (25, 3, "server")


def test_an_unknown_image_is_ready_after_its_start_and_prepares_for_a_while() -> None:
    shop = build_shop()
    step = {"name": "prepare", "image": "example.com/migrate:1", "command": ["/migrate", "--all"]}
    probe = {"exec": {"command": ["/healthy"]}, "periodSeconds": 1}
    shop.pod(
        "app-0",
        "example.com/app:1",
        container={"readinessProbe": probe},
        initContainers=[step],
    )
    shop.run(20)
    status = shop.client.require("pods", "default", "app-0")["status"]
    prepared = status["initContainerStatuses"][0]["state"]["terminated"]
    assert (prepared["exitCode"], prepared["reason"]) == (0, "Completed")
    assert status["containerStatuses"][0]["ready"]
    failures = [event for event in shop.client.list("events") if event["reason"] == "Unhealthy"]
    assert [event["message"] for event in failures] == ["Readiness probe failed: "]


@pytest.mark.parametrize(
    ("policy", "command", "phase"),
    [
        ("Never", ["perl", "-Mbignum=bpi", "-wle", "print bpi(2000)"], "Succeeded"),
        ("OnFailure", ["sh", "-c", "python train.py"], "Succeeded"),
        ("Always", ["python", "serve.py"], "Running"),
        ("Never", None, "Running"),
    ],
)
def test_an_unknown_command_of_a_pod_that_runs_to_its_end_ends_well(
    policy: str, command: list[str] | None, phase: str
) -> None:
    shop = build_shop()
    extra = {"command": command} if command else {}
    shop.pod("task-0", "example.com/task:1", container=extra, restartPolicy=policy)
    shop.run(20)
    assert shop.client.require("pods", "default", "task-0")["status"]["phase"] == phase
