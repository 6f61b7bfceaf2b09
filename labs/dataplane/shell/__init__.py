"""A small shell: files of a container, a POSIX command language, and the commands that a pod answers.

What runs in a container by a command line, through ``kubectl exec``, in an exec probe or in a lifecycle hook runs here.
A command is a generator that yields what it waits for (``waits``); ``session`` drives it with the clock.
"""
