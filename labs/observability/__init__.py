"""What watches: metrics-server and CloudWatch, each with the windows, delays and gaps of its original.

Not here: anything that acts on the cluster; an alarm changes a state, and whoever wants to act on it reads that.
"""
