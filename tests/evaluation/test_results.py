import pytest

from drnsr.evaluation.results import extremes


@pytest.mark.parametrize(
    ("number", "best", "worst"),
    [
        (0, [], []),
        (1, ["0"], []),
        (2, ["1"], ["0"]),
        (5, ["4", "3", "2"], ["0", "1"]),
        (6, ["5", "4", "3"], ["0", "1", "2"]),
        (9, ["8", "7", "6"], ["0", "1", "2"]),
    ],
)
def test_the_best_and_the_worst_pictures(number, best, worst):
    gains = {str(each): each - 3.0 for each in range(number)}
    undefined = {"none": None, "equal": float("inf"), "neither": float("nan")}
    assert extremes({**undefined, **gains}) == (best, worst)
