"""Each problem's docstring has Gymnasium's sections, names every argument, and traces the truth."""

import inspect
import re

import numpy as np
import pytest

from seqenvs import problems

SECTIONS = (
    "Description, Observation Space, Action Space, Rewards, Starting State, Episode End, "
    "Arguments, Version History"
)
CLASSES = [getattr(problems, name) for name in problems.__all__]
each_problem = pytest.mark.parametrize("cls", CLASSES, ids=problems.__all__)

# Rows that a trace may have beside those that it must have, and what they follow from.
EXTRA = {"sum": np.cumsum}


def sections(cls):
    """The docstring's sections, by title, in order."""
    parts = re.split(r"^## (.+)$", inspect.getdoc(cls), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@each_problem
def test_sections_and_arguments(cls):
    found = sections(cls)
    assert ", ".join(found) == SECTIONS
    assert all(text.strip() for text in found.values())
    named = re.findall(r"^- ``(\w+)``: ", found["Arguments"], re.MULTILINE)
    assert named == list(inspect.signature(cls).parameters)


@each_problem
def test_trace(cls):
    """Play the inputs of the trace in the docstring, and compare all that it says."""
    text = sections(cls)["Description"]
    said = re.search(r"^One episode (?:with|of) ``(.+?)``", text, re.MULTILINE)
    assert said, "no line says 'One episode with ``parameters``'"
    call = said[1] if said[1].startswith(cls.__name__) else f"{cls.__name__}({said[1]})"
    problem = eval(call, {cls.__name__: cls})

    block = re.search(r"^(    time step .+\n(?:    .+\n?)+)", text[said.end() :], re.MULTILINE)
    assert block, "no indented block begins with 'time step'"
    lines = [re.split(r"  +", line.strip()) for line in block[1].splitlines()]
    rows = {label: cells for label, *cells in lines}
    assert {"time step", "input", "target", "due"} == set(rows) - set(EXTRA)

    inputs = [problem.input_spec.blank if cell == "_" else float(cell) for cell in rows["input"]]
    kind = problem.input_spec.dtype.kind
    given = np.array(inputs).astype(problem.input_spec.dtype if kind == "u" else float)
    batch = problem.episode(given)
    steps = int(batch.lengths[0])
    due = batch.due[:, 0]
    assert [len(cells) for cells in rows.values()] == [steps] * len(rows)
    assert rows["time step"] == [str(t) for t in range(steps)]
    np.testing.assert_allclose(batch.inputs[:, 0], inputs, rtol=1e-6)
    assert rows["due"] == ["*" if asked else "." for asked in due]
    for t, cell in enumerate(rows["target"]):
        if due[t]:
            np.testing.assert_allclose(batch.targets[t, 0].ravel(), [float(cell)], rtol=1e-6)
        else:
            assert cell == ".", f"no answer is due at step {t}, the trace has {cell}"
    for label in set(rows) & set(EXTRA):
        np.testing.assert_allclose(EXTRA[label](inputs), np.array(rows[label], float), atol=1e-9)
