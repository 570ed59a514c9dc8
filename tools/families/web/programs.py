"""How the programs of nginx and Apache are called, with exact arguments for sudoers."""

from __future__ import annotations

from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools import target

_NGINX_CONFIG = "/etc/nginx/nginx.conf"
_APACHE_CONFIGS = (
    "/etc/apache2/apache2.conf",
    "/etc/httpd/conf/httpd.conf",
    "/usr/local/apache2/conf/httpd.conf",
)
_APACHE = ("apache2ctl", "apachectl", "httpd")


def is_nginx(service: Service) -> bool:
    """Return whether nginx runs the service. Raises `Refused` if Apache does not either."""
    product = service.product.lower()
    if product in ("nginx", "openresty"):
        return True
    if product in ("apache", "apache2", "httpd", "ohs", "ibm-http-server"):
        return False
    raise Refused(
        why=t("tools.web.wrong_product", service=service.name, product=service.product or "-")
    )


def test_command(host: Host, service: Service) -> tuple[str, ...]:
    """Return the command that tests the configuration."""
    if is_nginx(service):
        return (*_nginx(host, service), "-t")
    program = _apache(host)
    own = _apache_file(service)
    if own or program.endswith("httpd"):
        return (program, *own, "-t")
    return (program, "configtest")


def dump_command(host: Host, service: Service) -> tuple[str, ...]:
    """Return the command that prints the sites."""
    if is_nginx(service):
        return (*_nginx(host, service), "-T")
    return (_apache(host), *_apache_file(service), "-t", "-D", "DUMP_VHOSTS")


def reload_command(host: Host, service: Service) -> tuple[str, ...]:
    """Return the command that applies the configuration without cutting connections."""
    if target.is_systemd(host, service):
        return (host.facts.program("systemctl"), "reload", target.unit(host, service))
    if is_nginx(service):
        return (*_nginx(host, service), "-s", "reload")
    return (_apache(host), *_apache_file(service), "-k", "graceful")


def _nginx(host: Host, service: Service) -> tuple[str, ...]:
    config = service.config or ""
    own = config.endswith(".conf") and config != _NGINX_CONFIG
    program = host.facts.program("nginx")
    return (program, "-c", target.config(service)) if own else (program,)


def _apache_file(service: Service) -> tuple[str, ...]:
    """Return the option that names a configuration of its own."""
    config = service.config or ""
    own = config.endswith(".conf") and config not in _APACHE_CONFIGS
    return ("-f", target.config(service)) if own else ()


def _apache(host: Host) -> str:
    """Return the control program that the server was found to have."""
    found = (host.facts.program(name) for name in _APACHE)
    return next((path for path in found if path.startswith("/")), _APACHE[1])
