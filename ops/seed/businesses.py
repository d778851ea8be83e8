"""The sellers and buyers of the demo's invoices, and the sellers' bank accounts."""

from __future__ import annotations

from tenants.invoices.content import Address, Party, Transfer

ACME = Party(
    name="Acme Studio LLC",
    address=Address(
        street="548 Market Street",
        additional="Suite 320",
        city="San Francisco",
        subdivision="CA",
        postal_code="94104",
        country="US",
    ),
    tax_number="94-3216549",
    contact_name="Dana Whitfield",
    phone="+1 415 555 0142",
    email="billing@acme.example",
)
ACME_BANK = Transfer(
    account="000123456789", holder="Acme Studio LLC", bic="ACMEUS66", bank="First Pacific Bank"
)
OAKRIDGE = Party(
    name="Oakridge Botanical Garden",
    address=Address(
        street="27 Fern Hill Road", city="Portland", subdivision="OR", postal_code="97205", country="US"
    ),
    contact_name="Ana Silva",
    email="ana.silva@oakridge.example",
)
HARBOUR = Party(
    name="Harbour & Lane Joinery Ltd",
    address=Address(street="4 Chandlers Wharf", city="Bristol", postal_code="BS1 6UX", country="GB"),
    vat_id="GB123456789",
    registration="07654321",
    contact_name="Tom Lane",
    phone="+44 117 496 0123",
    email="accounts@harbourlane.example",
    legal_note="Registered in England and Wales no. 07654321",
)
HARBOUR_BANK = Transfer(
    account="GB33BUKB20201555555555", holder="Harbour & Lane Joinery Ltd", bic="BUKBGB22", bank="Severn Bank"
)
WREN = Party(
    name="Wren Coffee Roasters",
    address=Address(street="18 Old Market", city="Bath", postal_code="BA1 5LE", country="GB"),
    contact_name="Priya Nair",
    email="priya@wren.example",
)
NORDLICHT = Party(
    name="Nordlicht Seminare GmbH",
    address=Address(street="Speicherstraße 14", city="Hamburg", postal_code="20457", country="DE"),
    vat_id="DE123456789",
    registration="HRB 123456",
    contact_name="Jonas Petersen",
    phone="+49 40 555 0190",
    email="rechnung@nordlicht.example",
    legal_note="Geschäftsführerin: Frauke Petersen · Amtsgericht Hamburg · Sitz der Gesellschaft: Hamburg",
)
NORDLICHT_BANK = Transfer(
    account="DE02120300000000202051",
    holder="Nordlicht Seminare GmbH",
    bic="BYLADEM1001",
    bank="Deutsche Kreditbank",
)
MUELLER = Party(
    name="Müller & Söhne Maschinenbau KG",
    address=Address(street="Am Gewerbepark 3", city="Göttingen", postal_code="37079", country="DE"),
    vat_id="DE987654321",
    contact_name="Sabine Köhler",
    email="s.koehler@mueller.example",
)
SAKURA = Party(
    name="さくら商会株式会社",
    address=Address(street="丸の内1丁目9番2号", city="東京都千代田区", postal_code="100-0005", country="JP"),
    tax_number="T1234567890123",
    contact_name="佐藤 花子",
    phone="+81 3 5555 0134",
    email="keiri@sakura.example",
)
SAKURA_BANK = Transfer(account="普通 1234567", holder="サクラシヨウカイ(カ", bank="みずほ銀行 丸の内支店")
YAMADA = Party(
    name="株式会社山田製作所",
    address=Address(street="梅田3丁目1番1号", city="大阪府大阪市北区", postal_code="530-0001", country="JP"),
    contact_name="山田 太郎",
    email="yamada@seisakusho.example",
)
PEARL = Party(
    name="شركة لؤلؤة الخليج للتجارة",
    address=Address(street="شارع الحكومة ١٢", city="المنامة", postal_code="304", country="BH"),
    vat_id="220000123400002",
    contact_name="ليلى المنصور",
    phone="+973 1755 0123",
    email="billing@pearl.example",
)
PEARL_BANK = Transfer(
    account="BH67BMAG00001299123456", holder="شركة لؤلؤة الخليج للتجارة", bic="BMAGBHBM", bank="بنك المنامة"
)
DANA = Party(
    name="مؤسسة دانة للضيافة",
    address=Address(street="طريق الملك فيصل ٤٥", city="المنامة", postal_code="315", country="BH"),
    contact_name="خالد العريض",
    email="khalid@dana.example",
)
