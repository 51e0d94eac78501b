"""No verb looks at the network unless it is one that fetches."""

import os

_VARIABLE = "HF_HUB_OFFLINE"
ASKED_OFFLINE = os.environ.get(_VARIABLE, "") not in ("", "0")
"""Whether whoever started us wants no network at all."""


def allow_network() -> None:
    """Let the hub's library reach the network, unless the environment forbade it.

    Before that library is first imported: it reads the variable then.
    """
    if not ASKED_OFFLINE:
        os.environ[_VARIABLE] = "0"
