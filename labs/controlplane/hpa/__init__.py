"""The HorizontalPodAutoscaler v2 controller.

Here: the arithmetic from metrics to a replica count, and the one controller that applies it. Not here: where
metrics come from (``labs.api.metrics`` names the readers, ``labs.observability`` fills them) and what a
Deployment does with its new replica count.
"""
