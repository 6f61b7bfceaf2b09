"""Where a reader finds the live view: on this machine, through a hub's proxy (Binder), or a forwarded port."""

from __future__ import annotations

import html
from collections.abc import Mapping
from urllib.parse import urlsplit

from labs.course.notebook import is_interactive

HUB_PREFIX = "JUPYTERHUB_SERVICE_PREFIX"
CODESPACE, CODESPACE_DOMAIN = "CODESPACE_NAME", "GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN"

UNSEEN = "Run this cell in JupyterLab, and a link to the live view of this lab's cluster appears here."
"""Said where nobody can click: a link holds a port and a secret of one run, and is no output to keep."""


def is_behind_proxy(environment: Mapping[str, str]) -> bool:
    """Whether the reader's browser is on another machine and reaches this one by a proxy, under another host name."""
    return HUB_PREFIX in environment or CODESPACE in environment


def live_url(url: str, environment: Mapping[str, str]) -> str:
    """The address for the reader's browser of what this machine serves at ``url``.

    On a hub (Binder) jupyter-server-proxy leads to it; a Codespace forwards each port to a host name of its own.
    """
    parts = urlsplit(url)
    if HUB_PREFIX in environment:
        return f"{environment[HUB_PREFIX].rstrip('/')}/proxy/{parts.port}{parts.path}"
    if CODESPACE in environment:
        domain = environment.get(CODESPACE_DOMAIN, "app.github.dev")
        return f"https://{environment[CODESPACE]}-{parts.port}.{domain}{parts.path}"
    return url


def show_link(url: str, environment: Mapping[str, str]) -> None:
    """Show a link in a notebook that somebody reads; say where it would be in one that is only executed."""
    if not is_interactive():
        print(UNSEEN)
        return
    from IPython.display import HTML, display

    address = html.escape(live_url(url, environment))
    text = "Open the live view of this lab's cluster (in a new tab)"
    display(HTML(f'<a href="{address}" target="_blank" rel="noopener">{text}</a>'))
