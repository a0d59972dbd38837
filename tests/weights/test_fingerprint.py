import hashlib

from drnsr.weights.fingerprint import code_fingerprint, fingerprint


def test_the_order_of_keys_does_not_matter_and_values_do():
    assert fingerprint({"a": 1, "b": [2, 3]}) == fingerprint({"b": [2, 3], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


def test_a_known_digest():
    assert fingerprint({}) == hashlib.sha256(b"{}").hexdigest()


def test_other_places_are_other_code():
    assert code_fingerprint(["weights"]) != code_fingerprint(["networks"])
    assert code_fingerprint(["weights"]) == code_fingerprint(["weights"])
    assert code_fingerprint(["hashing.py"]) != code_fingerprint(["errors.py"])
