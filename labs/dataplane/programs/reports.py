"""What ``ab`` and ``fortio load`` print, to the letter where a reader parses it.

Source: apache/httpd support/ab.c (output_results); fortio.org/fortio periodic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from labs.dataplane.traffic.ledger import Ledger
from labs.dataplane.traffic.outcome import Outcome
from labs.dataplane.traffic.sources import ClosedLoop, ConstantRate, Source
from labs.units import MILLISECOND_NS, SECOND_NS

if TYPE_CHECKING:
    from labs.dataplane.programs.load import LoadPlan

_HEADER_BYTES = 170
_PERCENTAGES = (50, 66, 75, 80, 90, 95, 98, 99, 100)
_NO_ANSWER = (Outcome.REFUSED, Outcome.RESET, Outcome.TIMEOUT, Outcome.NO_ENDPOINT, Outcome.POOL_FULL)


def ab_banner(plan: LoadPlan) -> str:
    """The lines before the first request."""
    host = urlsplit(plan.url).hostname
    return (
        "This is ApacheBench, Version 2.3 <$Revision: 1923142 $>\n"
        "Copyright 1996 Adam Twiss, Zeus Technology Ltd, http://www.zeustech.net/\n"
        "Licensed to The Apache Software Foundation, http://www.apache.org/\n\n"
        f"Benchmarking {host} (be patient){'' if plan.requests > 150 else '.....done'}"
    )


def _rows(ledger: Ledger, source: Source) -> NDArray[np.void]:
    rows = ledger.rows()
    own: NDArray[np.void] = rows[rows["source"] == source.index]
    return own


def ab_report(plan: LoadPlan, ledger: Ledger, source: ClosedLoop) -> str:
    """Everything after the last request."""
    rows = _rows(ledger, source)
    took_ns = max(1, source.finished_ns - source.started_ns)
    connect_ms = 0.0 if plan.keeps_alive else source.front_ns / MILLISECOND_NS
    total_ms = (rows["finished_ns"] - rows["intended_ns"]) / MILLISECOND_NS
    lines = [*_progress(plan.requests), "", "", *_ab_head(plan, rows)]
    lines += _ab_counts(plan, rows, took_ns)
    lines += ["", "Connection Times (ms)", "              min  mean[+/-sd] median   max"]
    processing = np.maximum(total_ms - connect_ms, 0.0)
    for name, values in (
        ("Connect:    ", np.full_like(total_ms, connect_ms)),
        ("Processing: ", processing),
        ("Waiting:    ", processing),
        ("Total:      ", total_ms),
    ):
        low, mean, spread, median, high = _summary(values)
        lines.append(f"{name}{low:5d} {mean:4d} {spread:5.1f} {median:6d} {high:7d}")
    lines += ["", "Percentage of the requests served within a certain time (ms)"]
    ordered = np.sort(total_ms)
    for percent in _PERCENTAGES:
        value = ordered[-1] if percent == 100 else ordered[int(len(ordered) * percent / 100)]
        suffix = " (longest request)" if percent == 100 else ""
        lines.append(
            f"  {percent}%  {round(float(value)):5d}{suffix}"
            if percent < 100
            else f" 100%  {round(float(value)):5d}{suffix}"
        )
    return "\n".join(lines)


def _progress(requests: int) -> list[str]:
    if requests <= 150:
        return []
    step = max(100, requests // 10)
    done = [f"Completed {count} requests" for count in range(step, requests + 1, step)]
    return [*done, f"Finished {requests} requests"]


def _ab_head(plan: LoadPlan, rows: NDArray[np.void]) -> list[str]:
    parts = urlsplit(plan.url)
    answered = rows["response_bytes"][rows["outcome"] == Outcome.OK]
    length = int(answered[0]) if len(answered) else 0
    return [
        "Server Software:        ",
        f"Server Hostname:        {parts.hostname}",
        f"Server Port:            {parts.port or (443 if parts.scheme == 'https' else 80)}",
        "",
        f"Document Path:          {parts.path or '/'}",
        f"Document Length:        {length} bytes",
        "",
    ]


def _ab_counts(plan: LoadPlan, rows: NDArray[np.void], took_ns: int) -> list[str]:
    outcomes = rows["outcome"]
    is_ok = outcomes == Outcome.OK
    is_silent = np.isin(outcomes, [int(outcome) for outcome in _NO_ANSWER])
    wrong_length = int(np.count_nonzero(~is_ok & ~is_silent))
    connect = int(np.count_nonzero(outcomes == Outcome.REFUSED))
    silent = int(np.count_nonzero(is_silent))
    html = int(rows["response_bytes"].sum())
    total = html + _HEADER_BYTES * int(np.count_nonzero(~is_silent))
    seconds = took_ns / SECOND_NS
    mean_ms = took_ns / MILLISECOND_NS / len(rows)
    lines = [
        f"Concurrency Level:      {plan.concurrency}",
        f"Time taken for tests:   {seconds:.3f} seconds",
        f"Complete requests:      {len(rows)}",
        f"Failed requests:        {wrong_length + silent}",
    ]
    if wrong_length + silent:
        detail = f"Connect: {connect}, Receive: {silent - connect}, Length: {wrong_length}, Exceptions: 0"
        lines.append(f"   ({detail})")
    if wrong_length:
        lines.append(f"Non-2xx responses:      {wrong_length}")
    if plan.keeps_alive:
        lines.append(f"Keep-Alive requests:    {len(rows) - silent}")
    return [
        *lines,
        f"Total transferred:      {total} bytes",
        f"HTML transferred:       {html} bytes",
        f"Requests per second:    {len(rows) / seconds:.2f} [#/sec] (mean)",
        f"Time per request:       {mean_ms * plan.concurrency:.3f} [ms] (mean)",
        f"Time per request:       {mean_ms:.3f} [ms] (mean, across all concurrent requests)",
        f"Transfer rate:          {total / 1024 / seconds:.2f} [Kbytes/sec] received",
    ]


def _summary(values: NDArray[np.float64]) -> tuple[int, int, float, int, int]:
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    low, mean, median, high = values.min(), values.mean(), np.median(values), values.max()
    return round(float(low)), round(float(mean)), spread, round(float(median)), round(float(high))


def fortio_report(plan: LoadPlan, ledger: Ledger, source: ConstantRate) -> str:
    """The histogram's summary lines and the codes."""
    rows = _rows(ledger, source)
    seconds = (rows["finished_ns"] - rows["intended_ns"]) / SECOND_NS
    took_s = max(1, source.finished_ns - source.started_ns) / SECOND_NS
    lines = [
        f"Ended after {took_s:.9f}s : {len(rows)} calls. qps={len(rows) / took_s:.5g}",
        f"Aggregated Function Time : count {len(rows)} avg {seconds.mean():.8g} +/- {seconds.std():.4g} "
        f"min {seconds.min():.9g} max {seconds.max():.9g} sum {seconds.sum():.9g}",
    ]
    lines += [f"# target {percent}% {np.percentile(seconds, percent):.6g}" for percent in (50, 75, 90, 99, 99.9)]
    statuses: dict[int, int] = {}
    for outcome, count in zip(*np.unique(rows["outcome"], return_counts=True), strict=True):
        code = Outcome(int(outcome)).status or -1
        statuses[code] = statuses.get(code, 0) + int(count)
    lines += [f"Code {code:3d} : {count} ({100 * count / len(rows):.1f} %)" for code, count in sorted(statuses.items())]
    lines.append(
        f"All done {len(rows)} calls (plus 0 warmup) {1000 * seconds.mean():.3f} ms avg, {len(rows) / took_s:.1f} qps"
    )
    return "\n".join(lines)
