"""DHCP in frames, for tests: what no client can be made to send."""

import select
import socket
import struct
import sys
import time

EVERYBODY = b"\xff" * 6
SERVER = bytes.fromhex("0200000000fe")
HERE = "10.10.10.1"
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def option(code, value):
    if isinstance(value, str):
        value = socket.inet_aton(value)
    return bytes([code, len(value)]) + value


def message(kind, client, xid, options=b"", ciaddr="0.0.0.0", giaddr="0.0.0.0", yiaddr="0.0.0.0"):
    """A DHCP message of, or to, the machine with this hardware address."""
    reply = kind in (OFFER, ACK, NAK)
    head = struct.pack("!BBBBIHH", 2 if reply else 1, 1, 6, 0, xid, 0, 0)
    addresses = b"".join(map(socket.inet_aton, (ciaddr, yiaddr, "0.0.0.0", giaddr)))
    fields = head + addresses + client.ljust(16, b"\0") + bytes(192) + bytes([99, 130, 83, 99])
    return (fields + option(53, bytes([kind])) + options + b"\xff").ljust(300, b"\0")


def checksum(data):
    words = struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2))
    total = sum(words)
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", total ^ 0xFFFF)


def datagram(payload, source="0.0.0.0", to="255.255.255.255", ports=(68, 67), ip_options=b"", fragment=0,
             longer=0, sums=True, damaged=None):
    """UDP in IPv4. `fragment` is the header's field; `longer` is added to the lengths that the headers say."""
    ends = socket.inet_aton(source) + socket.inet_aton(to)
    udp = struct.pack("!HHHH", *ports, 8 + len(payload) + longer, 0)
    sum_ = checksum(ends + struct.pack("!BBH", 0, 17, 8 + len(payload)) + udp + payload)
    if damaged == "udp":
        sum_ = bytes([sum_[0] ^ 1, sum_[1]])
    udp = udp[:6] + (sum_ if sums else b"\0\0")
    length = 20 + len(ip_options) + 8 + len(payload) + longer
    ip = struct.pack("!BBHHHBB", 0x45 + len(ip_options) // 4, 0, length, 7, fragment, 64, 17)
    sum_ = checksum(ip + b"\0\0" + ends + ip_options)
    if damaged == "ip":
        sum_ = bytes([sum_[0] ^ 1, sum_[1]])
    return ip + sum_ + ends + ip_options + udp + payload


def frame(packet, source, to=EVERYBODY, vlan=None):
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return to + source + tag + b"\x08\x00" + packet


class Card:
    """The machine's network card, as a wire."""

    def __init__(self):
        self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
        self.wire.bind(("eth0", 0))

    def send(self, *frames):
        for each in frames:
            self.wire.send(each)

    def packets(self, seconds):
        """IPv4 packets until the time is over."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.wire], [], [], left)[0]:
                received = self.wire.recv(4096)
                if received[12:14] == b"\x08\x00":
                    yield received[14:]

    def answers(self, seconds, enough=None):
        """DHCP servers' messages: number of the conversation, kind, address given. Ends when there are enough."""
        heard = []
        for packet in self.packets(seconds):
            udp = packet[(packet[0] & 15) * 4:]
            if packet[9] != 17 or udp[:2] != b"\0C" or udp[8:9] != b"\2":
                continue
            payload = udp[8:]
            xid = struct.unpack("!I", payload[4:8])[0]
            heard.append((xid, payload[242], socket.inet_ntoa(payload[16:20])))
            if enough is not None and len(heard) >= enough:
                break
        return heard
