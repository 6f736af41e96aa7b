"""All faults by name, in the order they are told."""

from __future__ import annotations

from headgate.errors import InputError
from headgate.premortem import faults
from headgate.premortem.fault import Fault

NOTHING = Fault("nothing", "nothing is changed", "the candidate as it was recorded", faults.nothing)
#: A fault that is none: what the false alarms are counted on.
EQUAL = Fault(
    "equal",
    "both sides' answers are swapped in half of the blocks, at random",
    "a candidate that is neither better nor worse",
    faults.equal,
)

FAULTS = (
    Fault(
        "worse",
        "{metric} worse by the margin, {d:g}",
        "a model that is just not good enough",
        faults.worse(1),
        labelled=True,
        answers=True,
    ),
    Fault(
        "worse-twice",
        "{metric} worse by twice the margin, {twice:g}",
        "a model that is clearly not good enough",
        faults.worse(2),
        labelled=True,
        answers=True,
    ),
    Fault(
        "worse-in-segment",
        "{metric} worse by {segment_twice:g} in {segment}, elsewhere as it was",
        "a gain somewhere that hides a loss elsewhere",
        faults.worse(2, segment=True),
        labelled=True,
        answers=True,
        segment=True,
    ),
    Fault(
        "errors",
        "5 % of the candidate's answers are errors",
        "a server that crashes now and then",
        faults.errors,
    ),
    Fault(
        "slow",
        "every answer of the candidate takes 1.3 times as long",
        "a smaller machine, a larger model, a lost cache",
        faults.slow,
        needs=("candidate_latency_ms", "incumbent_latency_ms"),
    ),
    Fault(
        "late-labels",
        "{metric} worse by the margin, {d:g}, and its labels late (after closing) wherever it did worse",
        "bad news that travels slowly: returns, complaints, defaults",
        faults.late_in_bad_cases,
        labelled=True,
        answers=True,
    ),
    Fault(
        "skewed-split",
        "the candidate gets 10 % more entities than the split says",
        "a router that retries on one side, a cache before the split",
        faults.skewed_split,
    ),
    Fault(
        "dropped-feature",
        "the candidate answers the block's mean, whatever it is asked",
        "a feature that arrives empty and is filled in with a constant",
        faults.dropped_feature,
        answers=True,
    ),
    Fault(
        "wrong-rows",
        "the candidate's answers are permuted among the requests of a block",
        "a join by the wrong key: every answer is plausible, none belongs to its request",
        faults.wrong_rows,
        answers=True,
    ),
)
NAMES = (NOTHING.name, *(fault.name for fault in FAULTS))


def named(names: tuple[str, ...] | None) -> tuple[Fault, ...]:
    """Return the faults of these names in the order of the catalogue; all of them for None.

    Raises
    ------
    InputError
        If a name is not in the catalogue.
    """
    if names is None:
        return (NOTHING, *FAULTS)
    unknown = [name for name in names if name not in NAMES]
    if unknown or not names:
        raise InputError(
            f"--faults: asked names among {', '.join(NAMES)}; found {', '.join(unknown) or 'none'}; "
            "correct the list, or leave it out for all"
        )
    return tuple(fault for fault in (NOTHING, *FAULTS) if fault.name in names)
