from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import accounts

# `mosquitto_passwd -c -b file alice secret` of Mosquitto 2.0.11
BY_MOSQUITTO = (
    "$7$101$2CBAdGJojVl/+9LQ$k2cOxI6g3WBigZRbNOP7kWRIqx6uavbxFRudWt0vpwH/jRvoCY04hEOCCJP0JeBcHSm7DSpVJeazhzgalPq01A=="
)


def test_a_hash_is_the_one_that_mosquitto_makes_of_the_same_password_and_salt() -> None:
    salt = bytes.fromhex("d820407462688d597ffbd2d0")
    assert accounts.hash_password("secret", salt) == BY_MOSQUITTO
    assert accounts.verify(BY_MOSQUITTO, "secret")


PASSWORDS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1)


@given(PASSWORDS, PASSWORDS)
def test_a_hash_verifies_its_password_and_no_other(password: str, other: str) -> None:
    stored = accounts.hash_password(password)
    assert accounts.verify(stored, password)
    assert accounts.verify(stored, other) is (password == other)


@pytest.mark.parametrize("password", ["", "\0", "secret\0"])
def test_p6_an_empty_password_and_one_with_a_nul_are_never_right(password: str) -> None:
    """To PBKDF2 they are all the same, and to Mosquitto a NUL is the end."""
    with pytest.raises(ValueError, match="holds no NUL"):
        accounts.hash_password(password)
    assert not accounts.verify(BY_MOSQUITTO, password)


def test_the_same_password_never_has_the_same_hash_twice() -> None:
    assert accounts.hash_password("secret") != accounts.hash_password("secret")
    assert accounts.new_password() != accounts.new_password()
    assert len(accounts.new_password()) >= 32


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "secret",
        "$6$salt$digest",
        BY_MOSQUITTO + "\n",
        BY_MOSQUITTO[:-1],
        BY_MOSQUITTO.replace("$7$101", "$7$0"),
        BY_MOSQUITTO.replace("$7$101", "$7$99999999"),
        BY_MOSQUITTO.replace("2CBA", "2C*A"),
        BY_MOSQUITTO.replace("$7$", "$8$"),
    ],
)
def test_p6_a_broken_hash_verifies_nothing(broken: str) -> None:
    for password in ("secret", "", broken):
        assert not accounts.verify(broken, password)


def test_a_salt_of_another_length_is_refused_because_mosquitto_would_refuse_it() -> None:
    with pytest.raises(ValueError, match="12 bytes, not 16"):
        accounts.hash_password("secret", bytes(16))
