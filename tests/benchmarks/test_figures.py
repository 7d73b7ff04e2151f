import numpy as np
import pytest

from benchmarks.figures import Round, median, paired_ratio, quantile, round_of, summary


def made(subject="ours", number=0, p50=1.0, requests=100, seconds=2.0, concurrency=1):
    return Round(subject, concurrency, number, requests, seconds, p50, p50 * 3, 0.1)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("size", [1, 2, 3, 10, 101])
def test_quantile_is_numpys(share, size):
    values = sorted(np.random.default_rng(size).exponential(5, size).tolist())
    assert quantile(values, share) == pytest.approx(np.quantile(values, share))


def test_there_is_no_quantile_of_nothing():
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


@pytest.mark.parametrize("share", [-0.1, 1.1, 99])
def test_a_share_is_between_0_and_1(share):
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile([1.0], share)


def test_median_does_not_need_order():
    assert median([9.0, 1.0, 5.0]) == 5.0


def test_a_round_sorts_its_latencies():
    one = round_of("ours", 1, 0, [3.0, 1.0, 2.0], seconds=1.5, generator_busy=0.2)
    assert (one.p50, one.requests, one.rate) == (2.0, 3, 2.0)
    assert one.p99 == pytest.approx(2.98)
    assert one.as_dict()["rate"] == 2.0


def test_a_disturbed_round_does_not_move_the_summary():
    rounds = [made(number=0, p50=1.0), made(number=1, p50=50.0), made(number=2, p50=1.2)]
    whole = summary(rounds)
    assert (whole.p50, whole.p50_least, whole.p50_most) == (1.2, 1.0, 50.0)
    assert (whole.rounds, whole.requests, whole.rate) == (3, 300, 50.0)


def test_ratios_pair_rounds_by_number():
    """The machine was twice as slow in round 1; the ratio is not."""
    ours = [made(number=0, p50=1.0), made(number=1, p50=2.0)]
    theirs = [made("theirs", 1, p50=4.0), made("theirs", 0, p50=2.0)]
    ratio = paired_ratio(ours, theirs, "p50")
    assert (ratio.median, ratio.least, ratio.most) == (0.5, 0.5, 0.5)


def test_ratio_of_rates():
    ratio = paired_ratio([made(requests=300)], [made("theirs", requests=100)], "rate")
    assert ratio.median == pytest.approx(3)


def test_rounds_without_a_pair_are_an_error():
    with pytest.raises(ValueError, match="no values"):
        paired_ratio([made(number=0)], [made("theirs", number=1)], "p50")
