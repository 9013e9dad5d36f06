"""A name server that lies, over real UDP, and a lookup that asks it as `getaddrinfo` would ask."""

import socket
from collections import Counter
from ipaddress import ip_address

from dnslib import AAAA, CNAME, QTYPE, RR, A, DNSError, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer

_SECONDS = 1.0
_CHAIN_MOST = 8
Answer = tuple[int, int, int, str, tuple[object, ...]]


class Names(BaseResolver):
    """Answers each lookup of a name with the next of its turns, the last one for ever; all with a TTL of 0.

    A turn lists addresses and, as `=other`, what the name is an alias of. `asked` counts the questions that came. While
    it is `silent` it answers nothing.
    """

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.silent = False
        self.zone: dict[str, list[list[str]]] = {}
        self.asked: Counter[str] = Counter()
        self._server = DNSServer(self, address=address, port=port, logger=DNSLogger(logf=lambda _: None))
        self.port = self._server.server.server_address[1]

    def __enter__(self) -> "Names":
        self._server.start_thread()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._server.server.server_close()

    def serve(self, **zone: list[list[str]]) -> "Names":
        """From now on these names, `_` for the dot, and no others."""
        self.zone = {name.replace("_", "."): turns for name, turns in zone.items()}
        self.asked.clear()
        return self

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        """The answer, with the aliases' own where they are known here, as a recursive server sends it."""
        if self.silent:
            raise DNSError("it is logged to nobody, and the question has no answer")
        reply, name, kind = request.reply(), str(request.q.qname).rstrip("."), QTYPE[request.q.qtype]
        for _ in range(_CHAIN_MOST):
            turns = self.zone.get(name, [[]])
            turn = turns[min(self.asked[f"{name} {kind}"], len(turns) - 1)]
            self.asked[f"{name} {kind}"] += 1
            for one in turn:
                record = CNAME(one[1:]) if one.startswith("=") else _address(one)
                form = type(record).__name__
                if form in ("CNAME", kind):
                    reply.add_answer(RR(name, getattr(QTYPE, form), rdata=record, ttl=0))
            alias = [one[1:] for one in turn if one.startswith("=")]
            if not alias:
                break
            name = alias[0]
        return reply

    def look_up(self, host: str, port: int, *_: int) -> list[Answer]:
        """In `getaddrinfo`'s place: every address that the answers hold."""
        found: list[Answer] = []
        for kind in ("A", "AAAA"):
            reply = self._ask(host, kind)
            for record in reply.rr:
                ip = str(record.rdata)
                if record.rtype == QTYPE.A:
                    found.append((socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)))
                elif record.rtype == QTYPE.AAAA:
                    found.append((socket.AF_INET6, socket.SOCK_STREAM, 6, "", (ip, port, 0, 0)))
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return found

    def _ask(self, host: str, kind: str) -> DNSRecord:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(_SECONDS)
            asking.sendto(DNSRecord.question(host, kind).pack(), ("127.0.0.1", self.port))
            return DNSRecord.parse(asking.recv(4096))


def _address(text: str) -> A | AAAA:
    packed = tuple(ip_address(text).packed)
    return A(packed) if len(packed) == 4 else AAAA(packed)
