"""The bounds of Classify, and the distribution of sums that they are made of, are exact."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from seqenvs.bounds import irwin_hall_cdf
from seqenvs.problems import Classify

MANY = "many_to_one"


def irwin_hall_by_hand(n, x):
    """The textbook's alternating sum, in rational numbers."""
    x = Fraction(x)
    if n == 0 or x < 0:
        return Fraction(x >= 0)
    terms = ((-1) ** k * math.comb(n, k) * (x - k) ** n for k in range(min(math.floor(x), n) + 1))
    return sum(terms) / math.factorial(n)


def test_irwin_hall_cdf_equals_the_rational_alternating_sum():
    most = 30
    rng = np.random.default_rng(0)
    points = [-1.5, -1e-9, 0.0, 1e-9, 0.25, 0.5, *map(float, range(1, 33)), 14.999999, 29.999]
    points += [*rng.uniform(0, most, 25), *rng.normal(most / 2, 1.6, 10)]
    cdf = irwin_hall_cdf(most, points)
    assert cdf.shape == (most + 1, len(points))
    for n in range(most + 1):
        exact = [float(irwin_hall_by_hand(n, x)) for x in points]
        np.testing.assert_allclose(cdf[n], exact, rtol=0, atol=1e-12, err_msg=f"n = {n}")


def test_irwin_hall_cdf_stays_a_distribution_where_the_alternating_sum_breaks_down():
    x = np.linspace(-1, 201, 202 * 5 + 1)
    cdf = irwin_hall_cdf(200, x)
    assert (np.diff(cdf, axis=1) >= -1e-13).all()
    assert (cdf[:, x < -1e-9] == 0).all()
    assert (cdf[:, -1] == 1).all()
    for n in (50, 100, 200):
        half, above = irwin_hall_cdf(n, [n / 2, n / 2 + math.sqrt(n / 12)])[n]
        assert half == pytest.approx(0.5, abs=1e-12)
        assert above == pytest.approx(0.841345, abs=1e-3)  # nearly normal


@pytest.mark.parametrize(("length", "framing"), [(10, "one_to_one"), (7, MANY), ((2, 6), MANY)])
def test_classify_equals_a_fine_midpoint_rule(length, framing):
    """The same integrals by another rule, with its own sums over the steps."""
    problem = Classify(length=length, framing=framing)
    low, high = problem.num_inputs
    x = (np.arange(20_000) + 0.5) / 20_000
    one = []
    for t in range(0 if framing == "one_to_one" else low - 1, high):
        limit = 0.25 * high if framing == "one_to_one" else 0.5 * (t + 1)
        one.append(1 - irwin_hall_cdf(t, limit - x)[t])
    mean = np.mean(one, axis=0)
    bounds = problem.bounds()
    assert bounds.clock == pytest.approx(np.maximum(one, 1 - np.array(one)).mean(), abs=1e-7)
    assert bounds.memoryless == pytest.approx(np.maximum(mean, 1 - mean).mean(), abs=1e-7)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("threshold", [0.1, 0.25, 0.5, 0.9])
def test_more_nodes_change_nothing(length, threshold, monkeypatch):
    problem = Classify(length=length, threshold=threshold)
    plain, leggauss = problem.bounds(), np.polynomial.legendre.leggauss
    monkeypatch.setattr(np.polynomial.legendre, "leggauss", lambda n: leggauss(4 * n))
    finer = problem.bounds()
    assert (plain.memoryless, plain.clock) == pytest.approx((finer.memoryless, finer.clock), 1e-9)
