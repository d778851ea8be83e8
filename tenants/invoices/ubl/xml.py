"""Parses an untrusted XML document: no entities, bounded in bytes, depth and number of elements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from tenants.invoices.ubl.node import Node, UblRefused

# XRechnung embeds attachments; their bytes are skipped.
MAX_BYTES: Final = 20 * 1024 * 1024
MAX_DEPTH: Final = 32
# 5,000 lines of 60 elements.
MAX_ELEMENTS: Final = 300_000
INVOICE: Final = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"


class _BoundedTreeBuilder(TreeBuilder):
    """Builds a tree of bounded depth and size, without the bytes of attachments."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0
        self._elements = 0
        self._skipping = False

    def start(self, tag: str, attrs: Mapping[str, str], /) -> Element:
        self._depth += 1
        self._elements += 1
        if self._depth > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise UblRefused("PORTAL-SIZE", "The document has too many elements, or too deep ones.")
        self._skipping = tag.endswith("}EmbeddedDocumentBinaryObject")
        return super().start(tag, dict(attrs))

    def data(self, data: str, /) -> None:
        if not self._skipping:
            super().data(data)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        self._skipping = False
        return super().end(tag)


def parse_root(document: bytes) -> Node:
    """Return the root of a UBL 2.1 invoice; UblRefused for any other document.

    Bounds: 20 MiB, 300,000 elements, 32 levels; no document type definition, hence no entities.
    """
    if len(document) > MAX_BYTES:
        raise UblRefused("PORTAL-SIZE", f"The document has more than {MAX_BYTES:,} bytes.")
    parser = DefusedXMLParser(target=_BoundedTreeBuilder(), forbid_dtd=True)
    try:
        parser.feed(document)
        element = parser.close()
    except DefusedXmlException as error:
        raise UblRefused("PORTAL-XML", "The document has a document type definition.") from error
    # LookupError and ValueError: a declared encoding that Python does not know or expat cannot use.
    except (ParseError, LookupError, ValueError) as error:
        raise UblRefused("PORTAL-XML", f"The document is not well-formed XML: {error}.") from error
    if element.tag != f"{{{INVOICE}}}Invoice":
        name = str(element.tag).rpartition("}")[2][:40]
        kind = "a credit note" if name == "CreditNote" else f"{name!r}, not a UBL 2.1 invoice"
        raise UblRefused("PORTAL-ROOT", f"The document is {kind}.")
    return Node(element, "Invoice")
