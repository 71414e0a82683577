"""The benchmark of first calls starts processes of its own."""


def test_first_calls_are_timed_in_fresh_processes(registry, monkeypatch):
    # Imported here, so that only the registry of this test knows it.
    from experiments.benchmarks.first_call import first_call

    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")  # the child's first call is over soon
    record = first_call.run(first_call.config(solvers=("htp",), n_rounds=1))
    (row,) = record.table.rows()
    assert row["solver"] == "htp"
    assert min(row["cold"], row["warm"], row["later"]) > 0
    assert first_call.draw(record).axes[0].has_data()
