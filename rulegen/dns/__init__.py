"""Names and answers of the cluster DNS."""

from rulegen.dns.directory import Directory
from rulegen.dns.records import Record, Reply
from rulegen.dns.server import DEFAULT_DOMAIN, DEFAULT_TTL, DnsServer

__all__ = ["DEFAULT_DOMAIN", "DEFAULT_TTL", "Directory", "DnsServer", "Record", "Reply"]
