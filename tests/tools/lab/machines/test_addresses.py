"""Each machine has an address of its own, and ports that the host leaves free."""

from __future__ import annotations

import socket

import pytest

from guardia.errors import Refused
from guardia.tools.lab.machines.addresses import AddressPool, choose_ports

FIRST = "127.0.9.240"


def test_two_fleets_never_share_an_address() -> None:
    one, other = AddressPool(FIRST), AddressPool(FIRST)
    taken = [one.take(), other.take(), one.take()]
    assert taken == ["127.0.9.240", "127.0.9.241", "127.0.9.242"]


def test_after_the_last_address_a_sentence_says_so() -> None:
    pool = AddressPool("127.0.9.250")
    assert pool.take() == "127.0.9.250"
    with pytest.raises(Refused):
        pool.take()


def test_an_occupied_port_moves_all_of_them() -> None:
    address = "127.0.9.239"
    with socket.socket() as occupied:
        occupied.bind((address, 1_022))
        occupied.listen()
        assert choose_ports(address, {"ssh": 1_022, "web": 1_080}) == {"ssh": 9_022, "web": 9_080}
        assert choose_ports(address, {"web": 1_080}) == {"web": 1_080}
