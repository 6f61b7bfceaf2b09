"""A terminal in JupyterLab whose ``kubectl`` and ``aws`` talk to the lab that was connected last.

JupyterLab, and so every terminal in it, is started with variables that name files in one folder; the kernels inherit
them, and ``connect`` writes those files. A terminal that was open before then finds them too.
"""

from __future__ import annotations

import configparser
import io
import os
import sys
import tempfile
from pathlib import Path

from labs.course.environment import past_proxies
from labs.course.sidecar import MAKE_ROOM, Endpoints
from labs.errors import UsageError

FOLDER = "CHAOS_CRUNCH_TERMINAL"
KUBECONFIG, AWS_CONFIG, AWS_CREDENTIALS = "kubeconfig", "aws-config", "aws-credentials"
_REMOVED = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def terminal_environment(folder: Path) -> dict[str, str]:
    """The environment of a JupyterLab whose terminals use the files in ``folder``.

    The programs of this Python go first on the path: they are of the versions that the course was tested with.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _REMOVED}
    return kept | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        FOLDER: str(folder),
        "KUBECONFIG": str(folder / KUBECONFIG),
        "KUBECACHEDIR": str(folder / "kubectl-cache"),
        "AWS_CONFIG_FILE": str(folder / AWS_CONFIG),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / AWS_CREDENTIALS),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        **past_proxies(),
    }


def new_folder() -> Path:
    """A folder that only this user can read."""
    return Path(tempfile.mkdtemp(prefix="chaos-crunch-terminal-"))


class Terminal:
    """The files of the terminals; nothing is written when no JupyterLab of ours started this kernel."""

    def __init__(self, endpoints: Endpoints, folder: str | None) -> None:
        self._files: dict[Path, str] = {}
        if folder is None or not Path(folder).is_dir():
            return
        aws = {"region": endpoints.region, "endpoint_url": endpoints.aws, "output": "json"}
        keys = {
            "aws_access_key_id": endpoints.aws_access_key_id,
            "aws_secret_access_key": endpoints.aws_secret_access_key,
        }
        texts = {
            KUBECONFIG: Path(endpoints.kubeconfig).read_text(encoding="utf-8"),
            AWS_CONFIG: _ini(aws),
            AWS_CREDENTIALS: _ini(keys),
        }
        self._files = {Path(folder) / name: text for name, text in texts.items()}
        try:
            for path, text in self._files.items():
                path.touch(mode=0o600)
                path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"No folder for temporary files can be used ({error.strerror}); {MAKE_ROOM}.") from None

    def close(self) -> None:
        """Remove the files, unless another lab has connected since."""
        for path, text in self._files.items():
            if path.exists() and path.read_text(encoding="utf-8") == text:
                path.unlink()


def _ini(values: dict[str, str]) -> str:
    """A file with these values for the default profile."""
    parser = configparser.ConfigParser(default_section="", interpolation=None)
    parser["default"] = values
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()
