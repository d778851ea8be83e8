"""The layout of the repository: folders, names, sizes, and what only one module may do."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from kernel.settings import list_variables

ROOT = Path(__file__).resolve().parent.parent
TOP_LEVEL = {
    "LICENSE",
    "README.md",
    "helm",
    "ops",
    "platform",
    "pyproject.toml",
    "requirements.lock",
    "tenants",
    "tests",
    "web",
    "workers",
}
VAGUE = {"service", "services", "utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
MAX_MODULE_LINES = 300
MAX_TEST_MODULE_LINES = 400
SOURCES = ("platform/kernel", "tenants", "workers", "web", "ops")
PRODUCT = ("platform/kernel", "tenants", "workers", "web")

# Which of our modules may import which vendor; ops and tests may import everything. A prefix stands for a package.
VENDORS: dict[str, tuple[str, ...]] = {
    "aiosmtplib": ("kernel.mail",),
    "asyncpg": ("kernel.store", "kernel.jobs", "tenants"),
    "babel": ("kernel.language", "kernel.units", "tenants.workspaces"),
    "brotli": ("web.http",),
    "cachetools": ("web",),
    "crawleruseragents": ("web.portal",),
    "cryptography": ("kernel.seals",),
    "css_inline": ("kernel.mail",),
    "email_validator": ("kernel.identifiers",),
    "dramatiq": ("workers", "kernel.jobs"),
    "defusedxml": ("tenants.invoices",),
    "httpcore": ("kernel.fetching",),
    "httptools": ("web.http",),
    "idna": ("kernel.text", "tenants.workspaces", "web.http"),
    "jinja2": ("kernel.mail", "tenants.invoices.document", "web"),
    "litestar": ("web.gateway", "web.http", "web.portal", "web.console", "web.api", "web.hooks"),
    "markupsafe": ("tenants.invoices.document", "web"),
    "msgspec": ("kernel", "tenants", "web", "workers"),
    "obstore": ("kernel.blobs",),
    "piccolo": ("kernel.store", "tenants"),
    "PIL": ("tenants.workspaces",),
    "pikepdf": ("workers.pdf",),
    "playwright": ("workers.pdf",),
    "pyotp": ("tenants.access",),
    "prometheus_client": ("kernel.telemetry",),
    "segno": ("tenants.access",),
    "redis": ("kernel.limits", "kernel.jobs", "kernel.wakeup"),
    "stdnum": ("kernel.identifiers",),
    "stripe": ("tenants.connect",),
    "structlog": ("kernel", "web", "workers"),
    "uvicorn": ("web.http",),
    "uvloop": ("web.gateway", "web.hub"),
    "websockets": ("web.hub",),
    "werkzeug": ("web.http",),
}


def _tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


def _modules(*folders: str) -> list[str]:
    return [
        name
        for name in _tracked()
        if name.endswith(".py") and name.startswith(tuple(f"{f}/" for f in folders))
    ]


def _scripts() -> list[str]:
    return [name for name in _tracked() if name.startswith("web/assets/") and name.endswith((".ts", ".js"))]


def _tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text(encoding="utf-8"), name)


def _dotted(name: str) -> str:
    return name.removeprefix("platform/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_the_top_level_has_only_the_prescribed_entries() -> None:
    present = {name.partition("/")[0] for name in _tracked()}
    assert {name for name in present if not name.startswith(".")} <= TOP_LEVEL


def test_no_folder_called_platform_is_a_package() -> None:
    assert [name for name in _tracked() if re.search(r"(^|/)platform/__init__\.py$", name)] == []


def test_the_standard_librarys_platform_is_still_the_standard_librarys() -> None:
    code = "import platform, kernel; print(platform.python_version()); print(kernel.__file__)"
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    version, kernel = printed.stdout.split()
    assert version == sys.version.split()[0]
    assert Path(kernel) == ROOT / "platform" / "kernel" / "__init__.py"


def test_no_module_has_a_vague_name() -> None:
    vague = [
        name
        for name in _modules(*SOURCES)
        if Path(name).stem in VAGUE or VAGUE & set(Path(name).parent.parts)
    ]
    assert vague == []


def _max_lines(name: str) -> int:
    return MAX_TEST_MODULE_LINES if name.startswith("tests/") or ".test." in name else MAX_MODULE_LINES


def test_no_module_is_too_long() -> None:
    modules = [*_modules(*SOURCES, "tests"), *_scripts()]
    lengths = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in modules}
    assert {name for name, lines in lengths.items() if lines > _max_lines(name)} == set()


def test_each_vendor_is_imported_only_where_it_is_allowed() -> None:
    own = {"kernel", "tenants", "workers", "web", "ops"}
    strays: set[tuple[str, str]] = set()
    for name in _modules(*PRODUCT):
        module = _dotted(name)
        for vendor in set(_imports(_tree(name))) - own - set(sys.stdlib_module_names):
            allowed = VENDORS.get(vendor, ())
            if not any(module == package or module.startswith(f"{package}.") for package in allowed):
                strays.add((module, vendor))
    assert strays == set()


def test_no_action_can_draw_a_picture_or_parse_a_document_in_its_unit_of_work() -> None:
    """Both take up to seconds, in which a transaction would hold its connection and its locks."""
    actions = [
        _dotted(name) for name in _modules("tenants") if re.search(r"/(actions|queries)(/\w+)?\.py$", name)
    ]
    assert len(actions) > 8
    code = (
        "import importlib, sys\n"
        f"sys.path[:0] = {[str(ROOT), str(ROOT / 'platform')]!r}\n"
        f"for name in {actions!r}: importlib.import_module(name)\n"
        "print(*sorted({'PIL', 'defusedxml', 'tenants.invoices.ubl.read'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd="/", check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("what", "pattern", "home"),
    [
        ("the environment", r"\bos\.(environ|getenv)\b", "platform/kernel/settings.py"),
        ("the time", r"\b(datetime\.(now|utcnow)|date\.today|time\.time)\(", "platform/kernel/clock.py"),
        (
            "chance",
            r"^\s*(import|from) (random|secrets)\b|\bos\.urandom\b|\buuid[1-8]\(",
            "platform/kernel/ids.py",
        ),
    ],
)
def test_only_one_module_asks_for(what: str, pattern: str, home: str) -> None:
    asks = {
        name
        for name in _modules(*PRODUCT)
        if re.search(pattern, (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert asks <= {home}, what


#: Of the module math, what is exact on whole numbers and fractions.
EXACT_MATH = {"ceil", "comb", "floor", "gcd", "isqrt", "lcm", "prod"}
# Divisions whose result is exact, or no money; each needs its reason.
DIVISIONS = {
    "tenants/invoices/rounding.py": {"gross / (1 + rate)"},  # a Fraction
    "tenants/invoices/taxes.py": {"rate / 100"},  # a Fraction
    "tenants/invoices/totals.py": {
        "to_fraction(percent, field, line) / 100",  # a Fraction
        "quantity * price / base_quantity",  # Fractions
        "priced[index].minor / divisor",  # by a Fraction
    },
    # Pixels of a picture.
    "tenants/invoices/document/brand.py": {
        "logo.width * _LOGO_HEIGHT / logo.height",
        "logo.height * _LOGO_MAX_WIDTH / logo.width",
    },
    # Paths.
    "tenants/invoices/document/fonts.py": {
        "Path(__file__).parent / 'fonts'",
        "folder / 'index.json'",
        "folder / face.file",
        "self.folder / face.file",
    },
    "tenants/invoices/document/pdf_html.py": {"FOLDER / name"},
}
MONEY = (
    "platform/kernel/money.py",
    "platform/kernel/language.py",
    "web/portal/invoice_data.py",
    "web/portal/summary.py",
)


def _floats(tree: ast.Module, divisions: Iterable[str] = ()) -> Iterator[int]:
    """Yield the lines with a float, its name, a true division that is not listed, or inexact mathematics."""
    paths: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            # With a text it joins a path, and so does what stands before it.
            if node in paths or _is_text(node.left) or _is_text(node.right):
                paths.add(node.left)
            elif ast.unparse(node) not in divisions:
                yield node.lineno
        elif isinstance(node, ast.expr | ast.stmt) and (_is_inexact(node) or _is_inexact_import(node)):
            yield node.lineno


def _is_inexact(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=float() | complex()) | ast.Name(id="float" | "complex"):
            return True
        case ast.Attribute(value=ast.Name(id="math"), attr=name):
            return name not in EXACT_MATH
        case ast.Attribute(attr="truediv" | "itruediv") | ast.AugAssign(op=ast.Div()):
            return True
        case _:
            return False


def _is_inexact_import(node: ast.AST) -> bool:
    match node:
        case ast.ImportFrom(module="math" | "cmath" | "statistics", names=names):
            return not {alias.name for alias in names} <= EXACT_MATH
        case ast.ImportFrom(module="operator", names=names):
            return not {alias.name for alias in names}.isdisjoint({"truediv", "itruediv"})
        case ast.Import(names=names):
            renamed = any(alias.name == "math" and alias.asname for alias in names)
            return renamed or any(alias.name in {"cmath", "statistics"} for alias in names)
        case _:
            return False


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_no_float_comes_near_money() -> None:
    found = {
        f"{name}:{line}"
        for name in [*_modules("tenants"), *MONEY]
        for line in _floats(_tree(name), DIVISIONS.get(name, ()))
    }
    assert found == set()


def test_every_division_on_the_list_is_still_there() -> None:
    present = {name: {ast.unparse(node) for node in ast.walk(_tree(name))} for name in DIVISIONS}
    assert {
        name: listed - present[name] for name, listed in DIVISIONS.items() if listed - present[name]
    } == {}


@pytest.mark.parametrize(
    "code",
    [
        "price = 0.1",
        "total = float(text)",
        "minor / 100",
        "minor /= 100",
        "Decimal(a / b)",
        "x: float = read()",
        "def f(x: float | None): ...",
        "map(float, texts)",
        "import math\nmath.fsum(all)",
        "import math as m",
        "from math import fsum",
        "from statistics import mean",
        "operator.truediv(a, b)",
    ],
)
def test_the_search_for_floats_finds_them(code: str) -> None:
    assert list(_floats(ast.parse(code))) != []


@pytest.mark.parametrize(
    "code", ["rate = 2", "minor // 100", "math.lcm(2, 3)", "folder / name / 'x.po'", "folder / f'{name}.po'"]
)
def test_the_search_for_floats_leaves_whole_numbers_and_paths(code: str) -> None:
    assert list(_floats(ast.parse(code))) == []


def test_every_module_imports_without_environment_network_or_database() -> None:
    modules = [_dotted(name) for name in _modules(*SOURCES) if not name.endswith("__main__.py")]
    code = (
        "import importlib, socket, sys\n"
        f"sys.path[:0] = {[str(ROOT), str(ROOT / 'platform')]!r}\n"
        "def refuse(*_): raise OSError('a module connects when it is imported')\n"
        "socket.socket.connect = refuse\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd="/",
        check=False,
        capture_output=True,
        text=True,
        env={},
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_readme_names_every_setting_and_no_other() -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("| variable |")[2].partition("\n\n")[0]
    first = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`(PORTAL_[A-Z_]+)`", "".join(first))) == set(list_variables())


def test_every_exception_of_the_linters_is_for_something_that_exists() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = config["tool"]["ruff"]["lint"]["per-file-ignores"]
    assert [pattern for pattern in patterns if not any(ROOT.glob(pattern))] == []


def _pinned() -> dict[str, str]:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", lock, re.MULTILINE))


def test_the_lock_pins_everything_that_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(r for extra in project["optional-dependencies"].values() for r in extra),
    ]
    pinned = _pinned()
    requirements = [
        requirement for text in wanted if (requirement := Requirement(text)).name != project["name"]
    ]
    unmet = [
        str(requirement)
        for requirement in requirements
        if not requirement.specifier.contains(pinned.get(requirement.name.lower(), "0"), prereleases=True)
    ]
    assert unmet == []


def test_every_dependency_has_its_line_of_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = text[text.index("dependencies = [") : text.index("[project.scripts]")]
    lines = [line for line in block.splitlines() if line.startswith('  "') and "invoice-portal[" not in line]
    assert [line for line in lines if not re.search(r'",? # \S', line)] == []
    assert len(lines) > 20


@pytest.mark.parametrize("lock", ["requirements.lock", "ops/installer.lock"])
def test_python_locks_have_hashes_and_name_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_npm_lock_has_hashes_and_names_no_host() -> None:
    packages = json.loads((ROOT / "web" / "assets" / "package-lock.json").read_text(encoding="utf-8"))[
        "packages"
    ]
    installed = {name: package for name, package in packages.items() if name}
    assert [name for name, package in installed.items() if "resolved" in package] == []
    assert [name for name, package in installed.items() if "integrity" not in package] == []
