"""Evidence for pipelines/parameter_files.py: defaults come back, and everything wrong is told at once."""

import inspect

import pytest

from dynome.errors import FormatError, InputError, StoreError
from dynome.pipelines import METHODS, parameters_of, write_parameters
from dynome.pipelines.parameter_files import MOST_BYTES, known_parameters


def test_what_is_written_has_every_default_and_is_read_again(tmp_path):
    read = parameters_of(write_parameters(tmp_path / "all.toml"))
    assert set(read) == {"analysis", *METHODS}
    for name, method in METHODS.items():
        defaults = {n: p.default for n, p in inspect.signature(method.function).parameters.items()}
        assert set(read[name]) == set(known_parameters(method.function)) < set(defaults)
        for key, value in read[name].items():
            assert value == (list(defaults[key]) if isinstance(defaults[key], tuple) else defaults[key])


def test_every_parameter_of_every_method_is_explained(tmp_path):
    lines = write_parameters(tmp_path / "all.toml").read_text().splitlines()
    for method in METHODS.values():
        first = next(iter(known_parameters(method.function)))
        at = next(k for k, line in enumerate(lines) if line == f"[{method.name}]")
        assert lines[at + 1].startswith("# ")
        assert any(line.startswith(f"{first} = ") for line in lines[at:])


def test_what_a_session_is_given_is_no_parameter():
    for method in METHODS.values():
        assert not {"recording", "connectome", "session", "random_state", "model"} & set(
            known_parameters(method.function)
        )


def test_everything_wrong_is_told_at_once():
    wrong = {
        "dynamic-conectome": {},
        "switching-glm": {"n_state": 3, "n_states": 2.5, "observation": "normal", "nodes": [1]},
        "biclustering": 3,
        "connectome-gnn": {"nulls": True, "horizons": [1, 2.5]},
        "analysis": {"threads": 0, "seed": 1},
    }
    with pytest.raises(InputError) as caught:
        parameters_of(wrong)
    told = str(caught.value)
    for line in (
        "there is no method 'dynamic-conectome'; did you mean 'dynamic-connectome'?",
        "switching-glm has no parameter 'n_state'; did you mean 'n_states'?",
        "n_states of switching-glm must be a whole number, got 2.5",
        "observation of switching-glm must be one of 'auto', 'poisson', 'negative_binomial', 'bernoulli', 'gaussian'",
        "nodes of switching-glm must be a list of strings, got [1]",
        "biclustering must be a table of names and values, found 3",
        "nulls of connectome-gnn must be a whole number, got True",
        "horizons of connectome-gnn must be a list of whole numbers",
        "threads of analysis must be at least 1, got 0",
        "analysis has no parameter 'seed'; there are 'random_state', 'threads', 'memory', 'retries'",
    ):
        assert line in told


def test_words_and_numbers_may_both_be_right():
    given = {"dynamic-connectome": {"rank": "auto", "smooth": 2, "window": "auto"}, "analysis": {"memory": "2GB"}}
    assert parameters_of(given) == given
    with pytest.raises(InputError, match="rank of dynamic-connectome must be a whole number or 'auto', got 'many'"):
        parameters_of({"dynamic-connectome": {"rank": "many"}})
    with pytest.raises(InputError, match="smooth of dynamic-connectome must be a number or 'auto', got nan"):
        parameters_of({"dynamic-connectome": {"smooth": float("nan")}})


def test_a_file_of_today_is_not_written_over(tmp_path):
    path = write_parameters(tmp_path / "all.toml")
    with pytest.raises(StoreError, match="exists; choose another name"):
        write_parameters(path)
    with pytest.raises(StoreError, match="cannot write"):
        write_parameters(tmp_path / "nowhere" / "all.toml")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[switching-glm\n", "is not valid TOML"),
        (b"\xff\xfe", "is not valid TOML"),
        (b"[analysis]\nthreads = 1\nthreads = 2\n", "is not valid TOML"),
        (b"x = " + b"[" * 9000, "is not valid TOML: it is nested too deeply"),
        (b"x = 1\n" * MOST_BYTES, "is larger than 64 KiB"),
        (b"a" + b".a" * 10_000 + b" = 1\n", "has a line of more than 10000 characters"),
    ],
)
def test_a_file_that_is_no_file_of_parameters_is_refused_soon(tmp_path, content, told):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=told):
        parameters_of(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"cannot read the parameters .*none.toml"):
        parameters_of(tmp_path / "none.toml")
