"""One kubelet for each node: pods' containers started, probed, restarted and stopped; the node's heartbeat.

Here belongs what happens on a node. What a program does in its container is in ``labs.dataplane.programs``.
"""
