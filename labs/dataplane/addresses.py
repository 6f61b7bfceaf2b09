"""IPv4 addresses of a VPC: one subnet for each zone, shared by instances and pods as the VPC CNI does."""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Sequence

from labs.errors import UsageError

VPC = ipaddress.IPv4Network("10.0.0.0/16")
_ZONE_PREFIX = 18
_RESERVED = 4
"""AWS keeps the network address and the next three."""


class SubnetAddresses:
    """Hands out each address of a zone's subnet once before it uses one again, the longest free one first."""

    def __init__(self, zones: Sequence[str]) -> None:
        subnets = list(VPC.subnets(new_prefix=_ZONE_PREFIX))
        if len(zones) > len(subnets):
            raise UsageError(f"The VPC has room for {len(subnets)} zones; name no more than that.")
        self._subnets = dict(zip(zones, subnets, strict=False))
        self._next = dict.fromkeys(zones, _RESERVED)
        self._free: dict[str, deque[str]] = {zone: deque() for zone in zones}

    def take(self, zone: str) -> str:
        """An address that nobody has. Raises UsageError when the subnet is full."""
        subnet = self._subnets[zone]
        number = self._next[zone]
        if number < subnet.num_addresses - 1:
            self._next[zone] = number + 1
            return str(subnet[number])
        if not self._free[zone]:
            raise UsageError(f"The subnet of {zone} has no free address; run fewer pods.")
        return self._free[zone].popleft()

    def give_back(self, address: str) -> None:
        """Nobody has ``address`` any more."""
        for zone, subnet in self._subnets.items():
            if ipaddress.IPv4Address(address) in subnet:
                self._free[zone].append(address)
