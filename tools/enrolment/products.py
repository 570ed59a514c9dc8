"""Software that is recognized by its processes, and where it usually has its files."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """One kind of software."""

    name: str
    kind: str
    """Kind of the service in the CMDB."""
    command: re.Pattern[str]
    """Finds its processes by their command line."""
    ports: tuple[int, ...] = ()
    """Ports on which it usually listens, the most usual first."""
    other_ports: tuple[int, ...] = ()
    """Ports for its own administration, which no client uses."""
    folders: tuple[str, ...] = ()
    """Where its logs usually are."""
    files: tuple[str, ...] = ()
    config: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    """Names of its scripts in `/etc/init.d`."""
    home: re.Pattern[str] | None = None
    """Finds its own folder in the command line."""
    answers: str = ""
    """How its `Server` header begins."""
    layout: str | None = None


def _program(*names: str) -> re.Pattern[str]:
    """Return the pattern of a program, with or without its folder; `nginx: master` is one too."""
    return re.compile(rf"(?:\S*/)?(?:{'|'.join(names)})(?:[:\s]|$)")


_JAVA = r"(?:\S*/)?java\s.*"

PRODUCTS: tuple[Product, ...] = (
    Product(
        "nginx", "http", _program("nginx"), (80, 443, 8080), answers="nginx",
        folders=("/var/log/nginx", "/usr/local/nginx/logs"), config=("/etc/nginx",),
        scripts=("nginx",),
    ),
    Product(
        "apache", "http", _program("apache2", "httpd"), (80, 443, 8080), answers="Apache",
        folders=("/var/log/apache2", "/var/log/httpd", "/usr/local/apache2/logs"),
        config=("/etc/apache2", "/etc/httpd"), scripts=("apache2", "httpd"),
    ),
    Product(
        "webtob", "http", _program("wsm", "htl"), (80, 443, 8080), answers="WebtoB",
        scripts=("webtob",),
    ),
    Product(
        "tomcat", "http", re.compile(_JAVA + r"org\.apache\.catalina\.startup\.Bootstrap"),
        (8080, 8443), (8005, 8009), layout="webapps",
        home=re.compile(r"-Dcatalina\.base=(/\S+)"),
        scripts=("tomcat", "tomcat9", "tomcat10", "tomcat8"),
    ),
    Product(
        "jeus", "http", re.compile(_JAVA + r"(?:-Djeus\.home=|jeus\.server\.)"), (8088, 8808),
        (9736,), home=re.compile(r"-Djeus\.home=(/\S+)"), scripts=("jeus",),
    ),
    Product(
        "weblogic", "http", re.compile(_JAVA + r"weblogic\.Server"), (7001, 7002), (5556,),
        home=re.compile(r"-D(?:weblogic|domain)\.home=(/\S+)"), scripts=("weblogic",),
    ),
    Product(
        "postgresql", "postgresql", _program("postgres", "postmaster"), (5432,),
        folders=("/var/log/postgresql",), config=("/etc/postgresql",), scripts=("postgresql",),
        home=re.compile(r"\s-D\s*(/\S+)"),
    ),
    Product(
        "mariadb", "mysql", _program("mariadbd"), (3306,),
        folders=("/var/log/mysql", "/var/log/mariadb"), config=("/etc/mysql", "/etc/my.cnf.d"),
        scripts=("mariadb", "mysql"), home=re.compile(r"--datadir=(/\S+)"),
    ),
    Product(
        "mysql", "mysql", _program("mysqld"), (3306,), (33060,),
        folders=("/var/log/mysql",), files=("/var/log/mysqld.log",),
        config=("/etc/mysql", "/etc/my.cnf.d"), scripts=("mysql", "mysqld"),
        home=re.compile(r"--datadir=(/\S+)"),
    ),
    Product("oracle", "oracle", _program("tnslsnr", "ora_pmon_\\S+"), (1521,), scripts=("oracle",)),
    Product("tibero", "tibero", _program("tbsvr", "tblistener"), (8629,), scripts=("tibero",)),
    Product("cubrid", "cubrid", _program("cub_broker", "cub_master"), (33000, 30000, 1523),
            scripts=("cubrid",)),
    Product("java", "http", re.compile(_JAVA), (8080, 8443, 80)),
)  # fmt: skip
"""In this order: the first that fits a command line is the one."""

NOT_HTTP = frozenset({21, 22, 23, 25, 53, 110, 111, 143, 389, 465, 514, 587, 636, 993, 995, 873,
    1433, 1521, 2049, 3306, 33060, 5432, 6379, 6432, 8629, 11211, 27017, 30000, 33000, 8005,
    8009})  # fmt: skip
"""Ports that are never asked over HTTP: their owners would log an attack, or count an error."""


def product_of(command: str) -> Product | None:
    """Return the product of a command line."""
    return next((p for p in PRODUCTS if p.command.match(command)), None)


def candidate_places() -> tuple[str, ...]:
    """Return every folder and file in which a known product may have logs or settings."""
    places = [
        p for product in PRODUCTS for p in (*product.folders, *product.files, *product.config)
    ]
    return tuple(dict.fromkeys((*places, "/var/log/auth.log", "/var/log/secure")))
