"""The systems measured beside ours, each in an environment of its own; versions are pinned in its ``.txt``.

The scripts are run by those environments' Python; nothing here is imported by Headgate.
"""

#: Names as they are told, and of the script and the requirements of each.
PEERS = {
    "evidently": "with_evidently",
    "nannyml": "with_nannyml",
    "whylogs": "with_whylogs",
    "alibi-detect": "with_alibi_detect",
    "deepchecks": "with_deepchecks",
    "frouros": "with_frouros",
}
