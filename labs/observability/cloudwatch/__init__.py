"""CloudWatch: metric store, statistics, metric math, alarms, dashboards and the publishers that fill it.

Here belongs what the service keeps and answers. What does not: HTTP, wire formats, SNS delivery, and anything
that acts on the cluster. The front is ``service.CloudWatch``.
"""
