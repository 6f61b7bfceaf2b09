"""What the programs in images do: serve, load, wait. One module for each kind.

Here belongs behaviour seen from outside: answers, load, log lines, exit codes. How requests queue is in
``labs.dataplane.traffic``; when a container starts and stops is the kubelet's.
"""
