from drnsr.reporting.names import short_names


def test_a_long_path_is_its_part_that_tells_it_apart():
    names = [
        "drnsr-x2",
        "outputs/2026-11-27/12-00-00/models/model.safetensors",
        "outputs/2026-11-28/12-00-00/models/model.safetensors",
        "runs/0123456789abcdef01/best.ckpt",
        "runs/short.ckpt",
    ]
    assert list(short_names(names).values()) == [
        "drnsr-x2",
        ".../2026-11-27/12-00-00",
        ".../2026-11-28/12-00-00",
        ".../0123456789abcdef01/best.ckpt",
        "runs/short.ckpt",
    ]
    file = "weights_of_a_paper/models/model.safetensors"
    assert short_names([file]) == {file: "weights_of_a_paper"}
