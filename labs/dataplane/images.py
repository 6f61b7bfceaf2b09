"""Images: names in full, sizes, and how long a node takes to pull them, one after the other.

Which images exist is a rule (``pull_error``): a registry in the domain ``.invalid`` cannot be reached; a name or tag
that says so (``nonexistent``, ``does-not-exist``, ``no-such-...``) is not found; the repositories of
data/images.json have tags that look like versions, or those that the table gives; every other image exists. A size
that the table does not hold is drawn once from the image's name.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from labs.sim.loop import Loop
from labs.units import SECOND_NS, to_ns

_MIB = 1024**2
_VERSIONS = r"latest|stable|v?[0-9]+(\.[0-9]+)*"
_ABSENT = re.compile(r"non-?existent|does-?not-?exist|no-such|not-?found")


@dataclass(frozen=True, slots=True)
class PullTimes:
    """Registry and network: a pull takes ``request_s`` and then size / rate; both spread by a factor."""

    request_s: float = 0.35
    rate_mib_per_s: float = 60.0
    """Download and unpacking of a compressed layer on a small EBS-backed node."""
    sigma: float = 0.25


@dataclass(frozen=True, slots=True)
class Pulled:
    """The end of a pull. ``error`` is empty when it worked."""

    error: str = ""
    took_ns: int = 0
    waited_ns: int = 0
    """``took_ns`` with the wait in line."""
    size_bytes: int = 0


def full_name(image: str) -> str:
    """``busybox`` as the runtime calls it: ``docker.io/library/busybox:latest``."""
    name, at, digest = image.partition("@")
    head, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif "." not in head and ":" not in head and head != "localhost":
        name = f"docker.io/{name}"
    if at:
        return f"{name}@{digest}"
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def image_id(image: str) -> str:
    """Repository and digest; the digest is of the name, since there are no bytes."""
    name = full_name(image)
    repository, at, _ = name.partition("@")
    if at:
        return name
    repository = name[: name.rindex(":")]
    return f"{repository}@sha256:{hashlib.sha256(name.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class _Row:
    """A repository that the table knows: its size, and which tags it has."""

    size_bytes: int
    tags: re.Pattern[str]


@cache
def _rows() -> dict[str, _Row]:
    text = files("labs.dataplane").joinpath("data/images.json").read_text("utf-8")
    return {
        row["image"]: _Row(
            round(row["size_mib"] * _MIB), re.compile(f"(?:{row.get('tags', _VERSIONS)})(?:-[A-Za-z0-9_.-]+)?")
        )
        for row in json.loads(text)["images"]
    }


def _known(repository: str) -> _Row | None:
    rows = _rows()
    return rows.get(repository) or rows.get(repository.rpartition("/")[2])


def _repository_and_tag(image: str) -> tuple[str, str]:
    """A digest stands for any tag."""
    name = full_name(image)
    repository, at, _ = name.partition("@")
    if at:
        return repository, ""
    repository, _, tag = name.rpartition(":")
    return repository, tag


def image_size_bytes(image: str) -> int:
    """The compressed size: from the table by repository, else between 20 and 200 MiB by the name."""
    repository, _ = _repository_and_tag(image)
    known = _known(repository)
    if known is not None:
        return known.size_bytes
    draw = int.from_bytes(hashlib.sha256(repository.encode()).digest()[:4], "big") / 2**32
    return round((20 * 10**draw) * _MIB)


def pull_error(image: str) -> str:
    """Why an image can never be pulled, as containerd says it, or an empty text."""
    name = full_name(image)
    host = name.split("/", 1)[0]
    start = f'failed to pull and unpack image "{name}": failed to resolve reference "{name}": '
    if host.split(":")[0].endswith(".invalid"):
        why = f'failed to do request: Head "https://{host}/v2/": dial tcp: lookup {host}: no such host'
        return f"rpc error: code = Unknown desc = {start}{why}"
    repository, tag = _repository_and_tag(image)
    known = _known(repository)
    has_tag = not tag or known is None or known.tags.fullmatch(tag) is not None
    if has_tag and not _ABSENT.search(f"{repository}:{tag}"):
        return ""
    return f"rpc error: code = NotFound desc = {start}{name}: not found"


def name_error(image: str) -> str:
    """Why a name is no image's name, or an empty text (distribution/reference)."""
    name, at, digest = image.partition("@")
    path, _, tag = name.rpartition(":") if ":" in name.rpartition("/")[2] else (name, "", "")
    _, slash, rest = path.partition("/")
    lowered = rest if slash else path
    is_plain = re.fullmatch(r"[A-Za-z0-9.:-]+(/[A-Za-z0-9._-]+)*", path) is not None
    if is_plain and lowered != lowered.lower():
        return f"couldn't parse image name {json.dumps(image)}: invalid reference format: repository name " + (
            f"({path if slash else f'library/{path}'}) must be lowercase"
        )
    is_tag = not tag or re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", tag) is not None
    is_digest = not at or re.fullmatch(r"sha256:[0-9a-f]{64}", digest) is not None
    if is_plain and is_tag and is_digest and not image.endswith(":"):
        return ""
    return f"couldn't parse image name {json.dumps(image)}: invalid reference format"


class ImageStore:
    """The images of one node and the line of pulls (``serializeImagePulls: true``)."""

    __slots__ = ("_is_pulling", "_line", "_loop", "_present", "_rng", "_times")

    def __init__(self, loop: Loop, rng: random.Random, times: PullTimes) -> None:
        self._loop = loop
        self._rng = rng
        self._times = times
        self._present: set[str] = set()
        self._line: deque[tuple[str, int, Callable[[Pulled], None]]] = deque()
        self._is_pulling = False

    def has(self, image: str) -> bool:
        """Whether the node has the image."""
        return full_name(image) in self._present

    def pull(self, image: str, done: Callable[[Pulled], None]) -> None:
        """Call ``done`` when the image has been pulled after those before it in the line, or cannot be.

        An image that the node has costs only the question to the registry.
        """
        self._line.append((image, self._loop.now_ns, done))
        if not self._is_pulling:
            self._next()

    def _next(self) -> None:
        self._is_pulling = bool(self._line)
        if not self._line:
            return
        image, asked_ns, done = self._line.popleft()
        took_ns = self._duration_ns(image)
        self._loop.after(took_ns, self._finish, image, asked_ns, took_ns, done)

    def _duration_ns(self, image: str) -> int:
        times = self._times
        factor = self._rng.lognormvariate(0.0, times.sigma)
        if self.has(image) or pull_error(image):
            return to_ns(times.request_s * factor)
        size_mib = image_size_bytes(image) / _MIB
        return max(1, to_ns((times.request_s + size_mib / times.rate_mib_per_s) * factor))

    def _finish(self, image: str, asked_ns: int, took_ns: int, done: Callable[[Pulled], None]) -> None:
        error = pull_error(image)
        if not error:
            self._present.add(full_name(image))
        waited_ns = self._loop.now_ns - asked_ns
        done(Pulled(error, took_ns, waited_ns, image_size_bytes(image)))
        self._next()


def go_duration(ns: int) -> str:
    """A length of time as Go prints it after rounding to milliseconds: ``612ms``, ``1.234s``, ``1m2.5s``."""
    millis = round(ns / 1e6)
    if millis < 1000:
        return f"{millis}ms" if millis else "0s"
    minutes, rest = divmod(millis, 60_000)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    return f"{minutes}m{text}" if ns >= 60 * SECOND_NS else text
