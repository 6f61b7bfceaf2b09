"""The cluster's DNS as a pod asks it: Services, pods behind headless ones, load balancers, databases.

Source: kubernetes/dns docs/specification.md (records of Services and their endpoints); a pod's search list.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from labs.api.client import Client
from labs.api.store import Object
from labs.dataplane.service_views import ENDPOINT_SLICES, SERVICE_NAME_LABEL
from labs.dataplane.shell.waits import Resolution

DOMAIN = "svc.cluster.local"
_SERVER = "172.20.0.10"
"""Where EKS puts the DNS Service, for a cluster that has not got one yet."""


def is_address(host: str) -> bool:
    """Whether a host is an IPv4 address."""
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def dns_server(client: Client) -> str:
    """The address of the cluster's DNS Service."""
    service = client.get("services", "kube-system", "kube-dns")
    return str(service["spec"].get("clusterIP") or _SERVER) if service is not None else _SERVER


class Names:
    """Answers look-ups from what the API holds; ``outside`` gives the address of a host outside the cluster, or ""."""

    def __init__(self, client: Client, outside: Callable[[str], str]) -> None:
        self._client = client
        self._outside = outside

    def resolve(self, name: str, namespace: str) -> Resolution:
        """What a pod in ``namespace`` is told of ``name``; no address for a name that does not exist."""
        server = dns_server(self._client)
        name = name.rstrip(".")
        if is_address(name) or name == "localhost":
            return Resolution(name, ("127.0.0.1",) if name == "localhost" else (name,), server)
        address = self._outside(name)
        if address:
            return Resolution(name, (address,), server)
        short = name.removesuffix(".cluster.local").removesuffix(".svc")
        labels = short.split(".")
        full = f"{short}.{namespace}.{DOMAIN}" if len(labels) == 1 else f"{short}.{DOMAIN}"
        if len(labels) <= 2:
            service = self._client.get("services", labels[1] if len(labels) == 2 else namespace, labels[0])
            if service is not None:
                return self._service(service, full, server)
        elif len(labels) == 3:
            addresses = self._endpoints(labels[2], labels[1], labels[0])
            if addresses:
                return Resolution(full, addresses, server)
        return Resolution(full if len(labels) == 1 else name, (), server)

    def _service(self, service: Object, full: str, server: str) -> Resolution:
        spec, metadata = service["spec"], service["metadata"]
        if spec.get("type") == "ExternalName":
            return self.resolve(spec["externalName"], metadata["namespace"])
        address = spec.get("clusterIP")
        if address and address != "None":
            return Resolution(full, (address,), server)
        return Resolution(full, self._endpoints(metadata["namespace"], metadata["name"]), server)

    def _endpoints(self, namespace: str, service: str, host: str = "") -> tuple[str, ...]:
        """Addresses of a headless Service: of its ready endpoints, or of the one called ``host``."""
        found: dict[str, None] = {}
        for each in self._client.list(ENDPOINT_SLICES, namespace):
            if (each["metadata"].get("labels") or {}).get(SERVICE_NAME_LABEL) != service:
                continue
            for endpoint in each.get("endpoints") or ():
                dashed = endpoint["addresses"][0].replace(".", "-")
                is_ready = (endpoint.get("conditions") or {}).get("ready") is not False
                if is_ready and host in ("", endpoint.get("hostname"), dashed):
                    found |= dict.fromkeys(endpoint["addresses"])
        return tuple(found)
