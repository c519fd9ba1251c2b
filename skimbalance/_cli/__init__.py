"""Files and arguments of the command line."""

from skimbalance._cli.arguments import (
    classes_of,
    constraint_of,
    label_among,
    named_constraint,
    prior_of,
    reject_label_of,
    score_columns,
)
from skimbalance._cli.objectives import cost_of, objective_of
from skimbalance._cli.offsets import Offsets
from skimbalance._cli.tables import CommandError, LabelColumns, Table, read_table

__all__ = [
    "CommandError",
    "LabelColumns",
    "Offsets",
    "Table",
    "classes_of",
    "constraint_of",
    "cost_of",
    "label_among",
    "named_constraint",
    "objective_of",
    "prior_of",
    "read_table",
    "reject_label_of",
    "score_columns",
]
