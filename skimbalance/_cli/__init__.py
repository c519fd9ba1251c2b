"""Files and arguments of the command line."""

from skimbalance._cli.arguments import (
    Offsets,
    classes_of,
    constraint_of,
    label_among,
    named_constraint,
    prior_of,
    score_columns,
)
from skimbalance._cli.tables import CommandError, Table, read_table

__all__ = [
    "CommandError",
    "Offsets",
    "Table",
    "classes_of",
    "constraint_of",
    "label_among",
    "named_constraint",
    "prior_of",
    "read_table",
    "score_columns",
]
