from drnsr.hashing import file_sha256, sha256_of

# The test vector of FIPS 180-4.
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_standards_own_example(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert file_sha256(tmp_path / "file") == ABC
    assert sha256_of([b"a", b"", b"bc"]) == ABC
