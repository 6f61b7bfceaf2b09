"""kube-scheduler. Belongs here: queue, cache, filters, scores, preemption, binding. Not here: running the pod."""
