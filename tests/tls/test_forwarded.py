"""What an upstream is told of a client's certificate cannot be made to say something else."""

from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256

from proxy.tls.forwarded import element, plain
from tests.support.authority import Authority


def test_the_form_of_envoy(tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("c.example", uris=["spiffe://example/ns/a"], common_name="Client 1")
    digest = issued.certificate.fingerprint(SHA256()).hex()
    said = f'Hash={digest};Subject="CN=Client 1";URI=spiffe://example/ns/a;DNS=c.example'
    assert element(issued.certificate) == said.encode()


def test_without_names(tmp_path: Path) -> None:
    said = element(Authority(tmp_path).issue(file="bare").certificate)
    assert said.endswith(b';Subject="CN=nobody"')


def test_a_name_that_would_be_a_key_is_quoted(tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("c.example", uris=["urn:x;Hash=1,By=2"], common_name='Eve";Hash=00,Hash="1')
    said = element(issued.certificate).decode()
    assert 'Subject="CN=Eve\\22\\3BHash=00\\2CHash=\\221"' in said
    assert ';URI="urn:x;Hash=1,By=2"' in said
    assert unquoted(said).count("Hash=") == 1


def unquoted(text: str) -> str:
    """`text` without what stands in quotes, as a reader of the form would take it apart."""
    outside, inside = "", False
    for letter in text:
        if letter == '"':
            inside = not inside
        elif not inside:
            outside += letter
    assert not inside
    return outside


def test_only_visible_ascii_leaves(tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue(file="odd", common_name="Müller\\\r\nX: 1")
    assert element(issued.certificate).endswith(b'Subject="CN=M\\C3\\BCller\\5C\\0D\\0AX: 1"')
    assert plain("a.example") == "a.example"
    assert plain('ä"\\') == '"\\C3\\A4\\22\\5C"'
