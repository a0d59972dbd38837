from drnsr.data.audit import LeakAudit, read_audit, write_audit
from drnsr.data.prepare import Part, prepare_benchmark, prepare_training_set
from drnsr.images.encoding import write_png
from drnsr.reporting.lineage import audit_sentence
from tests.conftest import texture


def test_the_record_of_an_audit_says_what_it_was_of(tmp_path):
    for number in range(3):
        write_png(tmp_path / f"{number}.png", texture(64, 64, seed=number))
    pictures = sorted(tmp_path.glob("*.png"))
    training = prepare_training_set(
        [Part(pictures[:2], 0.5)], tmp_path / "train", name="mine", scales=[2]
    )
    benchmark = prepare_benchmark(pictures[2:], tmp_path / "test", name="set5")
    file = tmp_path / "audit.json"
    assert read_audit(file) is None
    write_audit(file, LeakAudit.passed(training, [benchmark]))
    audit = read_audit(file)
    assert audit == LeakAudit.passed(training, [benchmark])

    measured = {"set5": benchmark.fingerprint}
    passed = audit_sentence(audit, training.fingerprint, measured, init_from=None)
    assert "no picture of mine (2 pictures) is a copy of one of set5 (1)" in passed
    more = audit_sentence(audit, training.fingerprint, measured, init_from="x2.safetensors")
    assert more.startswith(passed)
    assert "x2.safetensors" in more
    other = audit_sentence(audit, "0" * 64, measured, init_from=None)
    further = audit_sentence(
        audit, training.fingerprint, {**measured, "set14": "1" * 64}, init_from=None
    )
    assert other == further
    assert other.startswith("Not known")
    by_design = LeakAudit.passed(training, [])
    assert "by design" in audit_sentence(by_design, training.fingerprint, {}, init_from=None)
    assert "dvc repro prepare" in audit_sentence(None, training.fingerprint, {}, init_from=None)
