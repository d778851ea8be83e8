"""Units of measure: codes of UN/ECE Recommendation 20 and their names."""

from __future__ import annotations

from typing import Final

# Codes that CLDR names in every language: (CLDR unit, length). Times have names, all others abbreviations.
MEASURE_UNITS: Final[dict[str, tuple[str, str]]] = {
    "SEC": ("duration-second", "long"),
    "MIN": ("duration-minute", "long"),
    "HUR": ("duration-hour", "long"),
    "DAY": ("duration-day", "long"),
    "WEE": ("duration-week", "long"),
    "MON": ("duration-month", "long"),
    "QAN": ("duration-quarter", "long"),
    "ANN": ("duration-year", "long"),
    "MGM": ("mass-milligram", "short"),
    "GRM": ("mass-gram", "short"),
    "KGM": ("mass-kilogram", "short"),
    "TNE": ("mass-tonne", "short"),
    "LBR": ("mass-pound", "short"),
    "ONZ": ("mass-ounce", "short"),
    "MMT": ("length-millimeter", "short"),
    "CMT": ("length-centimeter", "short"),
    "DMT": ("length-decimeter", "short"),
    "MTR": ("length-meter", "short"),
    "KMT": ("length-kilometer", "short"),
    "INH": ("length-inch", "short"),
    "FOT": ("length-foot", "short"),
    "YRD": ("length-yard", "short"),
    "SMI": ("length-mile", "short"),
    "CMK": ("area-square-centimeter", "short"),
    "MTK": ("area-square-meter", "short"),
    "KMK": ("area-square-kilometer", "short"),
    "HAR": ("area-hectare", "short"),
    "FTK": ("area-square-foot", "short"),
    "ACR": ("area-acre", "short"),
    "CMQ": ("volume-cubic-centimeter", "short"),
    "MTQ": ("volume-cubic-meter", "short"),
    "MLT": ("volume-milliliter", "short"),
    "CLT": ("volume-centiliter", "short"),
    "DLT": ("volume-deciliter", "short"),
    "LTR": ("volume-liter", "short"),
    "HLT": ("volume-hectoliter", "short"),
    "WTT": ("power-watt", "short"),
    "KWT": ("power-kilowatt", "short"),
    "MAW": ("power-megawatt", "short"),
    "KWH": ("energy-kilowatt-hour", "short"),
    "JOU": ("energy-joule", "short"),
    "KJO": ("energy-kilojoule", "short"),
    "AD": ("digital-byte", "short"),
    "4L": ("digital-megabyte", "short"),
    "E34": ("digital-gigabyte", "short"),
    "E35": ("digital-terabyte", "short"),
}

# Codes of countable things: (singular, plural), translated by the kernel's catalogue, context "unit".
# Those beginning with X are UN/ECE Recommendation 21 packages.
COUNT_UNITS: Final[dict[str, tuple[str, str]]] = {
    "C62": ("unit", "units"),
    "H87": ("piece", "pieces"),
    "EA": ("piece", "pieces"),
    "XPP": ("piece", "pieces"),
    "NAR": ("article", "articles"),
    "PR": ("pair", "pairs"),
    "NPR": ("pair", "pairs"),
    "DZN": ("dozen", "dozen"),
    "CEN": ("hundred", "hundred"),
    "MIL": ("thousand", "thousand"),
    "SET": ("set", "sets"),
    "KT": ("kit", "kits"),
    "LS": ("lump sum", "lump sums"),
    "1I": ("flat rate", "flat rates"),
    "E48": ("service unit", "service units"),
    "E49": ("working day", "working days"),
    "E54": ("trip", "trips"),
    "ACT": ("activity", "activities"),
    "IE": ("person", "persons"),
    "NMP": ("pack", "packs"),
    "XPK": ("package", "packages"),
    "XPA": ("packet", "packets"),
    "XBX": ("box", "boxes"),
    "XCT": ("carton", "cartons"),
    "XCS": ("case", "cases"),
    "XBG": ("bag", "bags"),
    "XSA": ("sack", "sacks"),
    "XBO": ("bottle", "bottles"),
    "XCA": ("can", "cans"),
    "XRO": ("roll", "rolls"),
    "XPX": ("pallet", "pallets"),
    "XPU": ("tray", "trays"),
    "XBE": ("bundle", "bundles"),
}

# "One", for things without another unit.
ONE: Final = "C62"

# Codes without a name: "mutually defined".
UNNAMED: Final = frozenset({"ZZ"})
