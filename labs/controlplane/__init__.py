"""What decides: reads desired and observed state, writes desired state.

Here belong the controllers of kube-controller-manager, the scheduler and Karpenter: each one pure rules over plain
values, and a short ``reconcile`` that reads the store, asks the rules and writes the difference. What happens by itself
(nodes, containers, packets) belongs to ``labs.dataplane``, what is served and stored to ``labs.api``.
"""
