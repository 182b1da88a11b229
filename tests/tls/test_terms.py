"""Files that say who is believed, and their end."""

from pathlib import Path

import pytest

from proxy import limits
from proxy.tls.certificates import CertificateError
from proxy.tls.terms import Reminder, Term, terms
from tests.support.authority import Authority

DAY = 86400.0


def test_how_long_files_count(authority: Authority, tmp_path: Path) -> None:
    short, long = authority.issue("a.test", days=3), authority.issue("b.test", days=9)
    both = tmp_path / "both.pem"
    both.write_bytes(Path(short.cert).read_bytes() + Path(long.cert).read_bytes())
    lists = tmp_path / "lists.crl"
    lists.write_bytes(b"".join(Path(authority.revoke(file=f"{days}.crl", days=days)).read_bytes() for days in (5, 2)))
    ca, crl = terms(str(both), str(lists))
    assert (ca.kind, ca.file, ca.end) == ("CA", str(both), long.certificate.not_valid_after_utc.timestamp())
    assert (crl.kind, crl.file) == ("CRL", str(lists))
    assert 2.9 * DAY < crl.end - crl.begin < 3.1 * DAY
    assert list(terms(None, "")) == []
    with pytest.raises(CertificateError):
        list(terms(str(lists), None))


@pytest.mark.parametrize(("life", "left", "near"), [(365, 15, False), (365, 13, True), (8, 3, False), (8, 1.9, True)])
def test_what_is_near(life: float, left: float, near: bool) -> None:
    assert Term("CRL", "x.crl", 0.0, life * DAY).is_near((life - left) * DAY) is near


def test_it_is_told_in_time_and_when_it_happens(said: list[str]) -> None:
    reminder = Reminder("every client is refused")
    one = Term("CRL", "x.crl", 0.0, 100 * DAY)
    reminder.look([one, Term("CA", "ca.pem", 0.0, 1000 * DAY)], 50 * DAY)
    assert said == []
    reminder.look([one], 98.5 * DAY)
    reminder.look([one], 98.5 * DAY + limits.CERTIFICATE_LOOK_SECONDS)
    soon = "the revocation list x.crl will have expired in 1.5 days: then every client is refused"
    assert said == [soon]
    reminder.look([one], 99.5 * DAY)
    assert said.pop() == soon.replace("1.5", "0.5")
    over = "the revocation list x.crl has expired: every client is refused"
    reminder.look([one], 100 * DAY)
    reminder.look([one], 100 * DAY + limits.CERTIFICATE_LOOK_SECONDS)
    assert said == [soon, over]
    reminder.look([one], 101 * DAY)
    assert said == [soon, over, over]
    reminder.look([Term("CA", "ca.pem", 0.0, 101 * DAY)], 101.1 * DAY)
    assert said[3:] == ["every authority in ca.pem has expired: every client is refused"]
