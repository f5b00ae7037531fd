"""octoDNS with its Cloudflare provider against the local cloud; run by run.sh.

The interpreter is started with -P: this file has the name of the package it imports.
"""

import os
import tempfile
from pathlib import Path

import octodns
import octodns_cloudflare
from octodns.manager import Manager

FIRST = """
'':
  - {type: MX, ttl: 300, value: {preference: 10, exchange: mx.example.org.}}
  - {type: CAA, ttl: 300, value: {flags: 0, tag: issue, value: ca.example}}
  - {type: TXT, ttl: 300, value: 'v=spf1 -all'}
"""
SERVICE = """
_s._tcp: {type: SRV, ttl: 300, value: {priority: 1, weight: 2, port: 3, target: h.example.}}
alias: {type: CNAME, ttl: 300, value: n1.alfredos.site.}
long: {type: TXT, ttl: 300, value: 'a quoted \\; text'}
"""


def names(count, address):
    return "".join(f"n{number}: {{type: A, ttl: 300, values: [{address}, 198.51.100.99]}}\n" for number in range(count))


def sync(folder, zone, doit=True):
    (folder / "alfredos.site.yaml").write_text(zone)
    (folder / "config.yaml").write_text(f"""
manager: {{max_workers: 1, enable_checksum: false}}
providers:
  source: {{class: octodns.provider.yaml.YamlProvider, directory: {folder}, enforce_order: false}}
  target:
    class: octodns_cloudflare.CloudflareProvider
    token: {os.environ["CLOUDFLARE_API_TOKEN"]}
    account_id: {os.environ["CLOUDFLARE_ACCOUNT_ID"]}
    api_url: {os.environ["CLOUDFLARE_API_BASE"]}
    pagerules: false
    retry_count: 0
zones:
  alfredos.site.: {{sources: [source], targets: [target]}}
""")
    return Manager(str(folder / "config.yaml")).sync(dry_run=not doit, force=True)


with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    full = FIRST + SERVICE + names(60, "198.51.100.1")
    assert sync(folder, full) == 66
    assert sync(folder, full, doit=False) == 0, "what was written must read back the same"
    print(f"octodns {octodns.__version__}: create and read back ok")
    changed = FIRST + SERVICE + names(60, "198.51.100.2")
    assert sync(folder, changed) == 60
    assert sync(folder, changed, doit=False) == 0
    print(f"octodns {octodns.__version__}: update ok")
    assert sync(folder, FIRST) == 63
    assert sync(folder, FIRST, doit=False) == 0
    print(f"octodns-cloudflare {octodns_cloudflare.__version__}: delete ok")
