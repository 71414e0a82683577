"""The experiment framework: declare once, run from a shell or a notebook, judge, report.

An experiment is a frozen config, a function of it, a figure and claims about what was measured::

    @experiment("toy", config=Config, smoke=dict(n_units=8))
    def toy(config, streams):
        return {"x": ..., "y": ...}                # the table: columns of equal length

    @toy.plot
    def figure(record, ax):
        ax.plot(record.table["x"], record.table["y"])

    @toy.claims
    def claims(record):
        return [Claim("y grows", source="Author 2000, Fig. 1", published="yes",
                      measured=record.table["y"][-1], verdict=record.table["y"][-1] > 1)]
"""

from .expected import expected
from .experiment import Experiment, discover, experiment, get, registered
from .record import Claim, Outcome, Record, Table, Verdict

__all__ = [
    "Claim",
    "Experiment",
    "Outcome",
    "Record",
    "Table",
    "Verdict",
    "discover",
    "expected",
    "experiment",
    "get",
    "registered",
]
