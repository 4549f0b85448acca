"""What loads the service while it is killed: load.py storm|node|people ... Each thing that was acknowledged is a line."""

import http.client
import json
import random
import socket
import struct
import subprocess
import sys
import time

from packets import *

PXE = option(60, b"PXEClient:Arch:00000:UNDI:002001") + option(93, b"\0\0")


def say(*words):
    print(*words, flush=True)


class Client:
    """DHCP of many machines through one card."""

    def __init__(self, seed):
        self.card, self.random, self.known = Card(), random.Random(seed), {}

    def exchanges(self, macs, more=b""):
        """DISCOVER to ACK of these machines, all at once; (hardware address, address, boot file) of those that got one."""
        clients = {self.random.getrandbits(32): each for each in macs}
        for xid, each in clients.items():
            self.card.send(frame(datagram(message(DISCOVER, each, xid, more)), each))
        given = []
        for packet in self.card.packets(0.6):
            udp = packet[(packet[0] & 15) * 4:]
            if packet[9] != 17 or udp[:2] != b"\0C" or udp[8:9] != b"\2":
                continue
            reply = udp[8:]
            xid, kind, address = struct.unpack("!I", reply[4:8])[0], reply[242], socket.inet_ntoa(reply[16:20])
            if xid not in clients:
                continue
            each = clients[xid]
            if kind == OFFER:
                wanted = option(50, address) + option(54, HERE) + more
                self.card.send(frame(datagram(message(REQUEST, each, xid, wanted)), each))
            elif kind == ACK:
                if self.known.get(each) != address:
                    say("ack", each.hex(":"), address)
                self.known[each] = address
                given.append((each, address, reply[108:236].rstrip(b"\0").decode()))
                if len(given) == len(clients):
                    break
        return given


def storm(seed, count):
    """More and more machines, up to so many, that ask for addresses in groups, for ever."""
    client = Client(seed)
    macs = [bytes([2, 0, 0, 1, number >> 8, number & 255]) for number in range(int(count))]
    known = 12
    while True:
        client.exchanges(client.random.sample(macs[:known], client.random.randint(1, 12)))
        known = min(known + 2, len(macs))
        time.sleep(client.random.random() / 50)


def tftp(name):
    wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    wire.settimeout(1)
    wire.sendto(b"\0\1" + name.encode() + b"\0octet\0", (HERE, 69))
    content, expected = b"", 1
    while True:
        block, peer = wire.recvfrom(2048)
        kind, number = struct.unpack("!HH", block[:4])
        if kind != 3:
            raise OSError(f"no {name}")
        if number == expected:
            content, expected = content + block[4:], expected + 1
        wire.sendto(struct.pack("!HH", 4, number), peer)
        if len(block) < 516:
            return content.decode()


class Node:
    """One machine: starts from the network, and installs when it is led there."""

    def __init__(self, seed, own, image):
        self.client, self.mac, self.own = Client(seed), mac(own), own
        self.image, self.address = open(image, "rb").read(), None

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection(HERE, timeout=2)
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        return connection.getresponse()

    def start(self, more):
        for _, address, file in self.client.exchanges([self.mac], more):
            if address != self.address:
                subprocess.run(f"ip address flush dev eth0; ip address add {address}/16 dev eth0", shell=True, check=True)
                self.address = address
            return file
        return None

    def report(self, base, stage, log=""):
        body = json.dumps({"stage": stage, "ok": True, "log": log})
        if self.request("POST", f"{base}/api/v1/nodes/{self.own}/report", body).status == 200:
            say("report", self.own, stage)

    def fetch(self, path):
        answer = self.request("GET", path)
        if answer.status != 200:
            raise OSError(f"{path}: {answer.status}")
        content = answer.read(1)
        if content and path.endswith("image.bin.bz2"):
            say("image", self.own)
        while piece := answer.read(1 << 19):
            content += piece
            time.sleep(0.01)
        if path.endswith("image.bin.bz2") and not self.image.startswith(content):
            say("broken", self.own, len(content))
        if len(content) < int(answer.headers["Content-Length"]):
            raise OSError("cut off")

    def live(self):
        file = self.start(PXE)
        if not file:
            return time.sleep(0.1)
        menu = tftp("pxelinux.cfg/01-" + self.own.replace(":", "-"))
        if f"http://{HERE}/g/" not in menu:
            return time.sleep(0.1)
        say("led", self.own)
        base = "/g/" + menu.split(f"http://{HERE}/g/")[1].split("/")[0]
        folder = f"{base}/coreos/1010.5.0/coreos_production_"
        for name in ("pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2"):
            self.fetch(folder + name)
        self.report(base, "written", "a line of its log\n" * self.client.random.randint(0, 800))
        self.start(b"")
        self.report("", "installed")

    def run(self):
        while True:
            try:
                self.live()
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)


class Control(http.client.HTTPConnection):
    """The control socket."""

    def __init__(self, path):
        super().__init__("control", timeout=2)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(2)
        self.sock.connect(self.path)


def people(seed, path, *nodes):
    """Orders of people."""
    choice = random.Random(seed)
    while True:
        time.sleep(choice.random() / 4)
        kind, node = choice.choice(["arm", "again", "again", "again", "arm", "again", "disarm"]), choice.choice(nodes)
        body = {"again": {"nodes": [node], "again": True}, "arm": {}}.get(kind)
        # What is asked for may happen without an answer.
        say("asked", kind, node)
        try:
            connection = Control(path)
            where = "/api/v1/disarm" if kind == "disarm" else "/api/v1/arm"
            connection.request("POST", where, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            done = answer.status == 200
            answer.read()
            if done:
                connection.request("GET", "/api/v1/status")
                orders = json.load(connection.getresponse())["orders"]
                say("done", kind, node, max((order["id"] for order in orders), default=0))
        except (OSError, http.client.HTTPException, ValueError):
            pass


kind, *arguments = sys.argv[1:]
Node(*arguments).run() if kind == "node" else {"storm": storm, "people": people}[kind](*arguments)
