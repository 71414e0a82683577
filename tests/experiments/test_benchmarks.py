"""Every class of the benchmarks runs; the races are fair; the ratios are what they say.

All of it runs without benchopt and without the peers of the `bench` extra: what is not installed
must say so by name. That benchopt loads and draws the same classes is not tested here.
"""

import ast
import itertools
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from experiments._framework import Table
from experiments.benchmarks import __main__ as command_line
from experiments.benchmarks import _bases, _coder, _data, _race, _ratios
from experiments.benchmarks._experiments import BENCHMARKS, make
from experiments.benchmarks._limits import machine_limits
from experiments.benchmarks.convolutional import _contest
from sparsecode.datasets.sources import DATA_VARIABLE

FOLDER = Path(_race.__file__).parent
FILES = {
    (benchmark, kind): sorted(
        path.stem for path in (FOLDER / benchmark / f"{kind.lower()}s").glob("*.py")
    )
    for benchmark in BENCHMARKS
    for kind in ("Dataset", "Solver")
}


def problem(benchmark, dataset=None, **parameters):
    """Return a small objective, with its data, or the reason why there is none."""
    dataset = dataset or ("sdrs" if benchmark == "sdr_overlap" else "natural_images")
    make_dataset = _race.load(benchmark, "Dataset", dataset)
    data = make_dataset.get_instance(**make_dataset.test_config).get_data()
    make_objective = _race.load(benchmark, "Objective")
    tested = getattr(make_objective, "test_config", None) or {}
    objective = make_objective.get_instance(**tested | parameters)
    skipped, reason = objective.skip(**data)
    if skipped:
        return reason
    objective.set_data(**data)
    return objective


def variants(benchmark, solver):
    """Return the first choice of a solver's parameters, with each rule that it knows."""
    known = dict(_race.load(benchmark, "Solver", solver).parameters)
    known |= {name: known[name][:1] for name in known if name != "rule"}
    return [dict(zip(known, values)) for values in itertools.product(*known.values())]


@pytest.mark.parametrize(
    ("benchmark", "solver"), [(b, name) for b in BENCHMARKS for name in FILES[b, "Solver"]]
)
def test_every_solver_runs_or_says_what_is_missing(benchmark, solver):
    fitting = 0
    choices = _race.load(benchmark, "Objective").parameters
    penalties = choices.get("penalty", [None])
    for penalty, parameters in itertools.product(penalties, variants(benchmark, solver)):
        objective = problem(benchmark, **({"penalty": penalty} if penalty else {}))
        one = _race.load(benchmark, "Solver", solver).get_instance(**parameters)
        given = objective.get_objective()
        skipped, reason = one.skip(**given)
        if skipped:
            unfit = benchmark == "nonconvex" and solver in ("spams", "skglm")
            missing = find_spec(one.requires) is None
            assert (reason == f"{one.requires} is not installed") if missing else unfit
            fitting += missing
            continue
        fitting += 1
        one.set_objective(**given)
        one.warm_up()
        worth = []
        for stop in (1, 300) if one.sampling_strategy == "iteration" else (1e-1, 1e-5):
            one.pre_run_hook(stop)
            one.run(stop)
            worth.append(objective.evaluate_result(**one.get_result())["value"])
        nothing = objective.evaluate_result(**objective.get_one_result())["value"]
        assert worth[1] <= worth[0] * (1 + 1e-6)
        assert worth[1] < nothing
    assert fitting


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_every_dataset_gives_what_the_objective_takes(benchmark, tmp_path, monkeypatch):
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))  # an empty folder
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    _data.olshausen_field.cache_clear()
    for name in FILES[benchmark, "Dataset"]:
        found = problem(benchmark, name)
        if name == "olshausen_field":
            assert found == "the images of Olshausen and Field are not there"
        elif name == "sdrs":
            assert (found.X.unit_shape, len(found.X)) == (found.stored.unit_shape, 5)
        else:
            if benchmark != "convolutional":  # whose samples are photographs
                assert np.allclose(np.linalg.norm(found.X, axis=1), 1.0)
            atoms = found.D.reshape(len(found.D), -1)
            assert np.allclose(np.linalg.norm(atoms, axis=1), 1.0)


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_the_files_are_laid_out_as_benchopt_reads_them(benchmark):
    kinds = {("Objective", FOLDER / benchmark / "objective.py")}
    for kind in ("Dataset", "Solver"):
        assert not (FOLDER / benchmark / f"{kind.lower()}s" / "__init__.py").exists()
        kinds |= {
            (kind, FOLDER / benchmark / f"{kind.lower()}s" / f"{name}.py")
            for name in FILES[benchmark, kind]
        }
    for kind, path in kinds:
        tree = ast.parse(path.read_text(encoding="utf8"))
        (one,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        assert one.name == kind
        values = {
            ast.unparse(node.targets[0]): node.value
            for node in one.body
            if isinstance(node, ast.Assign)
        }
        assert isinstance(ast.literal_eval(values["name"]), str)  # read without importing
        assert all(isinstance(v, list) for v in ast.literal_eval(values["parameters"]).values())


@pytest.mark.parametrize(
    "base", dict.fromkeys([_bases.Named, _bases.BaseSolver]), ids=lambda base: base.__module__
)
def test_parameters_are_set_by_name_with_or_without_benchopt(base):
    class Solver(base):
        name = "toy"
        parameters = {"dtype": ["float64", "float32"], "n_threads": [1]}  # noqa: RUF012

        def set_objective(self):
            pass

        run = get_result = set_objective

    one = Solver.get_instance(n_threads=2)
    assert (one.dtype, one.n_threads) == ("float64", 2)
    assert one.skip() == (False, None)
    assert one.pre_run_hook(1) is None


def test_an_atom_too_many_is_not_a_pursuit():
    objective = problem("pursuit", n_nonzero=3)
    code = np.zeros((2, len(objective.D)))
    code[0, :3] = code[1, :4] = 0.1
    worth = objective.judge(code)
    assert worth[0] == pytest.approx(np.sum((objective.X[0] - code[0] @ objective.D) ** 2))
    assert worth[1] == np.inf


# ------------------------------------------------------------------------- the runner


class ToyObjective(_bases.Named):
    """The distance of a guess from the data."""

    name, measure, reduce = "toy", "largest error", staticmethod(np.max)

    def set_data(self, X):
        self.X = X

    def get_objective(self):
        return {"X": self.X}

    def judge(self, guess):
        return np.abs(self.X[: len(guess)] - guess)


class ToyDataset(_bases.Named):
    name = "toy"
    parameters = {"seed": [0]}  # noqa: RUF012

    def get_data(self):
        return {"X": np.arange(1.0, 11.0)}


def toy_solver(called, log):
    """Return a solver class that is wrong by its stop, and writes down when it runs."""

    class Solver(_bases.Named):
        name, licence = called, "BSD-3"
        parameters = {"dtype": ["float64"], "n_threads": [1]}  # noqa: RUF012

        def set_objective(self, X):
            self.X = X

        def warm_up(self):
            log.append((called, "warm"))

        def run(self, stop):
            log.append((called, stop))
            self.guess = self.X + stop

        def get_result(self):
            return {"guess": self.guess}

    return Solver


@pytest.fixture
def toys(monkeypatch):
    """Stand in for a benchmark with the solvers a, b and c; return what they write down."""
    log = []
    made = {name: toy_solver(name, log) for name in "abc"}
    classes = {"Objective": ToyObjective, "Dataset": ToyDataset}
    monkeypatch.setattr(
        _race, "load", lambda _, kind, name="": made[name] if kind == "Solver" else classes[kind]
    )
    return log


def toy_race(*entries, **changes):
    return _race.Race("toys", "toy", {}, "toy", {}, entries, **changes)


def test_each_is_first_once():
    orders = [_race.rotated("abc", round_) for round_ in range(4)]
    assert orders == [list("abc"), list("bca"), list("cab"), list("abc")]
    assert _race.rotated([], 3) == []


def test_all_stop_at_the_precision_and_take_turns(toys):
    outcome = _race.run(
        toy_race(
            _race.Entry("a", {}, (0.5, 0.1, 0.01, 0.001)),
            _race.Entry("b", {}, (0.01,), n_samples=4, n_rounds=2),
            _race.Entry("c", {}, (0.5, 0.3)),
            limit=0.05,
        ),
        n_rounds=3,
    )
    assert [lane.stop for lane in outcome.lanes] == [0.01, 0.01, 0.3]
    assert [lane.is_precise for lane in outcome.lanes] == [True, True, False]
    assert [lane.n_samples for lane in outcome.lanes] == [10, 4, 10]
    assert [len(lane.seconds) for lane in outcome.lanes] == [3, 2, 3]
    assert "".join(name for name, _ in toys[-8:]) == "abcbcaca"


def test_the_reference_says_how_good_is_good_enough_on_shared_samples(toys):
    race = toy_race(
        _race.Entry("a", {}, (0.5, 0.26, 0.1)), _race.Entry("b", {}, (0.25,), n_samples=4),
        reference="b", slack=0.05,
    )  # fmt: skip
    ours, theirs = _race.run(race, n_rounds=1).lanes
    assert (ours.stop, ours.limit) == (0.26, pytest.approx(1.05 * 0.25))
    assert ours.is_precise
    assert theirs.is_precise
    assert theirs.value == theirs.limit


def test_who_misses_the_precision_is_named(toys, capsys):
    _race.report(_race.run(toy_race(_race.Entry("c", {}, (0.5, 0.3)), limit=0.05), n_rounds=1))
    assert capsys.readouterr().err == (
        "toys: c missed the precision: 0.3 instead of at most 0.05\n"
    )


def test_a_peer_that_is_not_installed_is_passed_over_by_name(monkeypatch):
    monkeypatch.setattr(
        _coder, "find_spec", lambda name: None if name in ("spams", "celer") else find_spec(name)
    )
    one = make("lasso")
    race = one.function.__closure__[0].cell_contents(one.config("smoke"))[0]
    outcome = _race.run(race, n_rounds=1)
    present = {lane.entry.solver for lane in outcome.lanes}
    assert {"sparsecode", "scikit_learn"} <= present
    assert not {"spams", "celer"} & present
    for name in ("spams", "celer"):
        assert f"{race.name}: {name} is passed over: {name} is not installed" in outcome.absent


def test_without_its_reference_a_race_is_not_run(monkeypatch):
    monkeypatch.setattr(_coder, "find_spec", lambda name: None if name == "spams" else object())
    one = make("learning")
    race = one.function.__closure__[0].cell_contents(one.config("smoke"))[0]
    outcome = _race.run(race, n_rounds=1)
    assert outcome.lanes == []
    assert "spams is not installed" in outcome.absent[0]
    assert "nobody says how good is good enough" in outcome.absent[-1]


def test_more_threads_than_there_are_are_passed_over():
    one = _race.load("lasso", "Solver", "sparsecode").get_instance(n_threads=4096)
    skipped, reason = one.skip()
    assert skipped
    assert reason.startswith("4096 threads were asked for; ")


class Passing(_bases.Named):
    """A solver that goes on from stop to stop, and is wrong by what is missing to 10."""

    name, resumes = "passing", True

    def pre_run_hook(self, stop):
        self.log = []

    def run(self, stop):
        self.log.append(stop)

    def get_result(self):
        return {"missing": 10 - self.log[-1]}


@pytest.mark.parametrize(
    ("max_seconds", "stops", "precise", "passed"),
    [
        (np.inf, [4, 8, 9], [True, True, False], [2, 4, 8, 9]),
        (0.0, [2, 2, 2], [False, False, False], [2]),
    ],
)
def test_one_run_is_timed_to_several_precisions(max_seconds, stops, precise, passed):
    solver = Passing()
    lanes = [
        _race.Lane(None, solver, 1, measure, limit)
        for measure, limit in (("far", 6), ("far", 3), ("near", 0.5))
    ]
    objective = SimpleNamespace(certify=lambda missing: {"far": missing, "near": missing})
    _contest.go(lanes, objective, (2, 4, 8, 9), max_seconds)
    assert [lane.stop for lane in lanes] == stops
    assert [lane.is_precise for lane in lanes] == precise
    assert solver.log == passed
    _contest.go(lanes, objective, (2, 4, 8, 9), max_seconds)
    assert solver.log == sorted(set(stops))
    assert [len(lane.seconds) for lane in lanes] == [2, 2, 2]
    assert lanes[0].seconds[0] <= lanes[1].seconds[0] <= lanes[2].seconds[0]


# ------------------------------------------------------------------------- the tables


def toy_record():
    """Return ours at 1 ms a sample beside a fast, a slow and an imprecise peer."""
    rows = [
        # race, solver, samples, rounds, per, cost, value, precise, goal
        ("x", "sparsecode", 100, 3, "sample", 0.001, 1e-7, True, np.nan),
        ("x", "quick", 100, 3, "sample", 0.0005, 1e-7, True, 4.0),
        ("x", "slow", 10, 1, "sample", 0.1, 2e-6, False, 25.0),
        ("y", "sparsecode", 7, 2, "run", 2.0, 0.5, False, np.nan),
        ("y", "quick", 7, 2, "run", 7.0, 0.4, True, 3.0),
    ]
    names = ("race", "solver", "samples", "rounds", "per", "cost", "value", "precise", "goal")
    table = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    table |= {"name": table["solver"], "limit": [1e-6] * 5, "threads": [2, 2, 1, 1, 1]}
    seconds = [
        [0.1, 0.1, 0.2], [0.05, 0.04, 0.05], [1.0, np.nan, np.nan], [2.0, 2.0, np.nan],
        [6.0, 8.0, np.nan],
    ]  # fmt: skip
    return SimpleNamespace(
        table=Table(table),
        arrays={
            "seconds": np.array(seconds),
            "limit_name": np.array(["GEMM"]),
            "limit": np.array([81.234]),
        },
    )


def test_ratios_are_of_medians_per_sample_and_count_only_where_ours_is_precise():
    quick, slow, run = _ratios.ratios(toy_record())
    assert quick["ratio"] == pytest.approx(0.5)
    assert (quick["lowest"], quick["highest"]) == (pytest.approx(0.25), pytest.approx(0.5))
    assert not quick["met"]
    assert slow["ratio"] == pytest.approx(100)
    assert slow["lowest"] == slow["highest"] == pytest.approx(100)
    assert slow["met"]
    assert run["ratio"] == pytest.approx(3.5)
    assert (run["lowest"], run["highest"]) == (pytest.approx(3), pytest.approx(4))
    assert not run["met"]  # fast enough, not good enough
    assert _ratios.goals(toy_record()) == (1, 3)


def test_the_table_says_who_missed():
    lines = _ratios.markdown(toy_record()).splitlines()
    assert len(lines) == 5
    assert "| 1\u202f000/s | 2\u202f000/s | **0.5** |" in lines[2]
    assert "| slow on 1 thread |" in lines[3]
    assert "2e-06 (missed)" in lines[3]
    assert "| ≥ **100** |" in lines[3]
    assert "| 2 s | 7 s | **3.5** |" in lines[4]
    assert _ratios.limits(toy_record()) == "GEMM: 81.2"


def test_the_limits_of_the_machine_are_measured():
    rates = machine_limits(64, n_repeats=1)
    assert {"GEMM float32, 1 thread, GFLOP/s", "triad float64, 1 thread, GB/s"} <= set(rates)
    assert all(rate > 0 for rate in rates.values())


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_a_record_is_run_kept_and_drawn(benchmark, tmp_path):
    one = make(benchmark)
    record = one.run(one.config("smoke", n_rounds=1), results=tmp_path)
    rows = list(record.table.rows())
    needed = {"lasso": "celer", "pursuit": "sklearn", "nonconvex": "skglm", "learning": "spams"}
    needed["convolutional"] = needed["sdr_overlap"] = "sparsecode"
    assert bool(rows) == bool(find_spec(needed[benchmark]))
    assert len(record.arrays["seconds"]) == len(rows)
    for row in _ratios.ratios(record):
        assert row["ratio"] > 0
        assert row["ours"]["name"].startswith("sparsecode")
    kept = one.load(next(tmp_path.rglob("record.json")).parent)
    assert _ratios.markdown(kept) == _ratios.markdown(record)
    assert one.draw(kept).axes[0].get_xlabel()


def test_the_command_prints_a_table(tmp_path):
    asked = ["lasso", "--preset", "smoke", "--rounds", "1", "--results", str(tmp_path)]
    done = CliRunner().invoke(command_line.app, asked)
    assert done.exit_code == 0
    assert "| race | peer | ours | theirs | ratio |" in done.output
    assert "goals met" in done.output


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            ["lassoo"],
            "must be one of lasso, pursuit, nonconvex, learning, convolutional, sdr_overlap; got "
            "'lassoo'.",
        ),
        (["--preset", "paper"], "must be one of smoke, quick, full; got 'paper'."),
    ],
)
def test_the_command_refuses_what_it_does_not_know(asked, said):
    done = CliRunner().invoke(command_line.app, asked)
    assert done.exit_code == 2
    assert said in done.output
