"""What happens: instances boot, kubelets run pods, programs serve and call, packets travel.

Here belongs whatever writes observed status: pod and node status, events of the kubelet, addresses, the ledger of
requests. What decides (controllers, scheduler, autoscalers) is in ``controlplane``; what only watches is in
``observability``. Entry point: ``labs.dataplane.dataplane.Dataplane``.
"""
