"""The metadata packet of a PDF/A-3 and PDF/UA file (ISO 19005-3, 6.6; ISO 14289-1, 5)."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from kernel.text import clean_line

_UA: Final = "http://www.aiim.org/pdfua/ns/id/"
# PDF/A requires a description of every schema that it does not define itself.
_EXTENSION: Final = f"""\
<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"
 xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">
<pdfaSchema:schema>PDF/UA Universal Accessibility Schema</pdfaSchema:schema>
<pdfaSchema:namespaceURI>{_UA}</pdfaSchema:namespaceURI><pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>
<pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource"><pdfaProperty:name>part</pdfaProperty:name>
<pdfaProperty:valueType>Integer</pdfaProperty:valueType><pdfaProperty:category>internal</pdfaProperty:category>
<pdfaProperty:description>part of ISO 14289</pdfaProperty:description></rdf:li></rdf:Seq></pdfaSchema:property>
</rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>"""


def build_xmp_packet(
    *, title: str, author: str, language: str, timestamp: str, producer: str, creator: str
) -> bytes:
    """Return the packet; `timestamp` is an ISO 8601 time, the same for creation and change."""
    return f"""\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:pdf="http://ns.adobe.com/pdf/1.3/" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/" xmlns:pdfuaid="{_UA}">
<dc:format>application/pdf</dc:format>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{_escape(title)}</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>{_escape(author)}</rdf:li></rdf:Seq></dc:creator>
<dc:language><rdf:Bag><rdf:li>{_escape(language)}</rdf:li></rdf:Bag></dc:language>
<xmp:CreatorTool>{_escape(creator)}</xmp:CreatorTool><xmp:CreateDate>{timestamp}</xmp:CreateDate>
<xmp:ModifyDate>{timestamp}</xmp:ModifyDate><xmp:MetadataDate>{timestamp}</xmp:MetadataDate>
<pdf:Producer>{_escape(producer)}</pdf:Producer><pdfaid:part>3</pdfaid:part><pdfaid:conformance>A</pdfaid:conformance>
<pdfuaid:part>1</pdfuaid:part></rdf:Description>
{_EXTENSION}</rdf:RDF></x:xmpmeta><?xpacket end="w"?>""".encode()


def _escape(text: str) -> str:
    # XML 1.0 has no way to write most control characters.
    return escape(clean_line(text))
