import pytest

from drnsr.evaluation.cost import reference_network
from drnsr.evaluation.protocol import get_protocol
from drnsr.evaluation.published import comparable_rows, published_costs, published_rows


def methods(dataset, scale, protocol):
    return [row.method for row in comparable_rows(dataset, scale, get_protocol(protocol))]


def test_the_rows_of_the_same_set_scale_and_protocol_are_found():
    found = comparable_rows("Set5", 4, get_protocol("paper_y"))
    by_method = {row.method: row for row in found}
    assert len(by_method) == len(found)
    assert by_method["EDSR-baseline"].values["psnr"] == 32.09  # EDSR-PyTorch's README
    assert by_method["EDSR-baseline"].parameters == pytest.approx(1_517_571, rel=0.01)
    assert by_method["Bicubic"].parameters is None
    numbers = [row.values["psnr"] for row in found]
    assert numbers == sorted(numbers, reverse=True)


def test_no_row_stands_beside_numbers_of_another_protocol():
    assert methods("Set5", 2, "classic_y")
    assert methods("Set5", 2, "rgb") == []
    assert methods("Set5", 2, "yround") == []
    assert "EDSR" in methods("DIV2K-val RGB", 2, "rgb")
    assert methods("DIV2K-val RGB", 2, "paper_y") == []
    assert methods(None, 2, "paper_y") == methods("Set5", 7, "paper_y") == []


def test_each_cost_has_a_quality_and_a_source():
    known = {(row.method, row.scale) for row in published_rows()}
    for scale in (2, 3, 4):
        for cost in published_costs(scale):
            assert cost.source
            assert cost.seconds_ratio > 0
            assert cost.set5 is not None or (cost.method, scale) in known


def test_the_reference_is_the_network_of_the_shipped_models():
    from drnsr.pretrained import model_file
    from drnsr.weights.native import load_model

    shipped = load_model(model_file("drnsr-x2")).state_dict()
    built = reference_network(2).state_dict()
    assert {k: v.shape for k, v in shipped.items()} == {k: v.shape for k, v in built.items()}
