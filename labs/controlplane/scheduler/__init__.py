"""kube-scheduler: where a pod goes. Belongs here: queue, cache, filters, scores, preemption. Not here: starting the pod."""
