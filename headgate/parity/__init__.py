"""Whether a served model does with a request what was done in training: recipe and golden examples.

Recorded at training, kept with the model, held against what its server tells and answers: docs/parity.md.
"""

from headgate.parity.chain import Chain, Columns, Stages, Step, run
from headgate.parity.compare import TOLERANCE, Difference, Parity, compare
from headgate.parity.examples import EXAMPLES, choose
from headgate.parity.files import from_bytes, to_bytes
from headgate.parity.golden import Accident, Golden, Slip, inputs_of, record
from headgate.parity.recipe import Recipe, StepRecord, parameters_of, recipe_of
from headgate.parity.wire import Told
from headgate.parity.wording import in_a_line, to_json, told

__all__ = [
    "EXAMPLES",
    "TOLERANCE",
    "Accident",
    "Chain",
    "Columns",
    "Difference",
    "Golden",
    "Parity",
    "Recipe",
    "Slip",
    "Stages",
    "Step",
    "StepRecord",
    "Told",
    "choose",
    "compare",
    "from_bytes",
    "in_a_line",
    "inputs_of",
    "parameters_of",
    "recipe_of",
    "record",
    "run",
    "to_bytes",
    "to_json",
    "told",
]
