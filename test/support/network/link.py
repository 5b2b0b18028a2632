"""
A network link for tests, with latency and loss: real packets and the kernel's own TCP, which sends lost ones again.

    python3 link.py 10.77.0.1/24

makes a TUN device with that address, in the network namespace it runs in. A packet to any other address of the subnet
comes back to this one with the two addresses swapped. So a server that listens on 10.77.0.1 is also at 10.77.0.2,
10.77.0.3 …, and each packet to and from there passes here. Swapping addresses leaves every checksum as it is.

Standard input takes one JSON object a line, each instead of the last one; standard output answers "ok":

    {"delayMs": 200, "loss": 0.01, "deadHosts": ["10.77.0.2"], "forget": true}

delayMs is for one direction. loss is a packet's chance to be lost, from 0 to 1. What a dead host sends or would get is
lost. With forget, packets of the TCP connections that are open by then are lost from now on, as behind a firewall that
was restarted; those of new connections are not.
"""
import fcntl
import heapq
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
TCP, SYN, ACK = 6, 0x02, 0x10


def open_device(address):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", b"link0", IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "address", "add", address, "dev", "link0"], check=True)
    subprocess.run(["ip", "link", "set", "link0", "up", "mtu", "1500"], check=True)
    return device


class Link:
    def __init__(self):
        self.delay = 0.0
        self.loss = 0.0
        self.dead = set()
        self.open = set()
        self.forgotten = set()
        self.waiting = []
        self.count = 0

    def configure(self, settings):
        self.delay = settings.get("delayMs", 0) / 1000
        self.loss = settings.get("loss", 0)
        self.dead = {socket.inet_aton(host) for host in settings.get("deadHosts", [])}
        if settings.get("forget"):
            self.forgotten |= self.open
            self.open = set()

    def take(self, packet, now):
        if packet[0] >> 4 != 4 or self.is_lost(packet):
            return
        swapped = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
        # The count keeps packets that are due at the same time in order.
        self.count += 1
        heapq.heappush(self.waiting, (now + self.delay, self.count, swapped))

    def is_lost(self, packet):
        if packet[12:16] in self.dead or packet[16:20] in self.dead:
            return True
        if packet[9] == TCP and self.is_forgotten(packet):
            return True
        return random.random() < self.loss

    def is_forgotten(self, packet):
        header = (packet[0] & 0x0F) * 4
        source, target = struct.unpack_from("!HH", packet, header)
        connection = (min(source, target), max(source, target))
        if packet[header + 13] & (SYN | ACK) == SYN:
            self.forgotten.discard(connection)
        if connection in self.forgotten:
            return True
        self.open.add(connection)
        return False


def run(device, link):
    commands = b""
    while True:
        now = time.monotonic()
        while link.waiting and link.waiting[0][0] <= now:
            os.write(device, heapq.heappop(link.waiting)[2])
        timeout = max(0, link.waiting[0][0] - now) if link.waiting else None
        readable, _, _ = select.select([device, 0], [], [], timeout)
        if device in readable:
            link.take(os.read(device, 65536), time.monotonic())
        if 0 in readable:
            read = os.read(0, 65536)
            if not read:
                return
            *lines, commands = (commands + read).split(b"\n")
            for line in lines:
                link.configure(json.loads(line))
                print("ok", flush=True)


if __name__ == "__main__":
    opened = open_device(sys.argv[1])
    print("ok", flush=True)
    run(opened, Link())
