"""XMP: the packet of metadata that says of a file that it is AI-generated, to programs that do not read C2PA."""

import re
from xml.sax.saxutils import quoteattr

_NAMESPACE = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_NAME = rb"Iptc4xmpExt:DigitalSourceType"
_SAID = re.compile(
    rb"""\s%(name)s\s*=\s*("[^"]*"|'[^']*')|<%(name)s(\s[^>]*)?(/>|>[^<]*</%(name)s\s*>)""" % {b"name": _NAME}
)
_END = b"</rdf:RDF>"
_EMPTY = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
    b"</rdf:RDF>\n</x:xmpmeta>\n"
    b'<?xpacket end="r"?>'
)


def packet(had: bytes | None, source_type: str) -> bytes:
    """A packet with this `Iptc4xmpExt:DigitalSourceType`, in UTF-8. What else the file's own packet says is kept.

    A packet in which there is no place for it, which no reader of XMP would understand either, is replaced.
    """
    base = _SAID.sub(b"", had) if had is not None and had.count(_END) == 1 else _EMPTY
    said = (
        f'<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{_NAMESPACE}"'
        f" Iptc4xmpExt:DigitalSourceType={quoteattr(source_type)}/>\n"
    )
    before, _, after = base.partition(_END)
    bare = f'<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{_NAMESPACE}"/>\n'.encode()  # what was ours
    return before.replace(bare, b"") + said.encode() + _END + after
