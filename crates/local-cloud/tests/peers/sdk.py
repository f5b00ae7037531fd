"""The official Python SDK (PyPI `cloudflare`) against the local cloud; run by run.sh."""

import os

import cloudflare
from cloudflare import Cloudflare

ZONE = os.environ["CLOUDFLARE_ZONE_ID"]
ACCOUNT = os.environ["CLOUDFLARE_ACCOUNT_ID"]
client = Cloudflare(
    api_token=os.environ["CLOUDFLARE_API_TOKEN"],
    base_url=os.environ["CLOUDFLARE_API_BASE"],
    max_retries=0,
)
records = client.dns.records


def refused(kind, code, work):
    try:
        work()
    except kind as error:
        assert error.body["errors"][0]["code"] == code, error.body
        return error
    raise AssertionError(f"{code} was expected")


def zones_and_token():
    [zone] = list(client.zones.list(name="alfredos.site", account={"id": ACCOUNT}, status="active"))
    assert (zone.id, zone.plan.legacy_id, len(zone.name_servers)) == (ZONE, "free", 2)
    assert client.zones.get(zone_id=ZONE).name == "alfredos.site"
    assert client.user.tokens.verify().status == "active"


def single_records():
    made = records.create(zone_id=ZONE, name="brave-tiger", type="A", content="198.51.100.1", ttl=300, comment="mark")
    assert (made.name, made.ttl, made.proxiable, made.comment) == ("brave-tiger.alfredos.site", 300, True, "mark")
    assert made.created_on == made.modified_on == made.comment_modified_on
    refused(
        cloudflare.BadRequestError,
        81058,
        lambda: records.create(zone_id=ZONE, name="brave-tiger", type="A", content="198.51.100.1", ttl=60),
    )
    edited = records.edit(dns_record_id=made.id, zone_id=ZONE, name=made.name, type="A", ttl=1, content="198.51.100.2")
    assert (edited.content, edited.comment, edited.ttl) == ("198.51.100.2", "mark", 1)
    put = records.update(dns_record_id=made.id, zone_id=ZONE, name=made.name, type="A", content="198.51.100.3", ttl=60)
    assert (put.comment, put.id) == (None, made.id)
    assert records.get(dns_record_id=made.id, zone_id=ZONE).content == "198.51.100.3"
    mail = records.create(zone_id=ZONE, name="@", type="MX", content="mx.example.org", priority=10, ttl=1)
    assert (mail.type, mail.priority) == ("MX", 10)
    service = records.create(
        zone_id=ZONE,
        name="_s._tcp",
        type="SRV",
        ttl=1,
        data={"priority": 1, "weight": 2, "port": 3, "target": "h.example"},
    )
    assert service.data.port == 3
    for made in (made, mail, service):
        assert records.delete(dns_record_id=made.id, zone_id=ZONE).id == made.id
    refused(cloudflare.NotFoundError, 81044, lambda: records.delete(dns_record_id=made.id, zone_id=ZONE))


def batches_and_pages():
    posts = [{"name": f"n{number}", "type": "A", "content": "198.51.100.1", "ttl": 300} for number in range(150)]
    batch = records.batch(zone_id=ZONE, posts=posts)
    assert len(batch.posts) == 150 and batch.posts[7].name == "n7.alfredos.site"
    names = [record.name for record in records.list(zone_id=ZONE, per_page=40)]
    assert names == [f"n{number}.alfredos.site" for number in range(150)]
    page = records.list(zone_id=ZONE, per_page=40, page=4)
    assert (len(page.result), page.result_info.total_count) == (30, 150)
    [found] = list(records.list(zone_id=ZONE, name={"exact": "n7.alfredos.site"}, type="A"))
    assert found.id == batch.posts[7].id
    assert len(list(records.list(zone_id=ZONE, name={"startswith": "n14"}, comment={"absent": "true"}))) == 11
    mixed = records.batch(
        zone_id=ZONE,
        deletes=[{"id": batch.posts[0].id}],
        patches=[{"id": batch.posts[1].id, "content": "198.51.100.9"}],
        puts=[{"id": batch.posts[2].id, "name": "put", "type": "A", "content": "198.51.100.8", "ttl": 60}],
        posts=[{"name": "n0", "type": "CNAME", "content": "put.alfredos.site", "ttl": 1}],
    )
    assert mixed.deletes[0].id == batch.posts[0].id and mixed.posts[0].type == "CNAME"
    assert (mixed.patches[0].content, mixed.puts[0].name) == ("198.51.100.9", "put.alfredos.site")
    usage = client.dns.usage.zone.get(zone_id=ZONE)
    assert (usage.record_quota, usage.record_usage) == (200, 150)
    posts = [{"name": f"m{number}", "type": "A", "content": "198.51.100.1", "ttl": 300} for number in range(51)]
    refused(cloudflare.BadRequestError, 81045, lambda: records.batch(zone_id=ZONE, posts=posts))
    assert client.dns.usage.zone.get(zone_id=ZONE).record_usage == 150
    text = records.export(zone_id=ZONE)
    assert "n7.alfredos.site.\t300\tIN\tA\t198.51.100.1" in text
    records.batch(zone_id=ZONE, deletes=[{"id": record.id} for record in records.list(zone_id=ZONE, per_page=200)])
    imported = records.import_(zone_id=ZONE, file=text, proxied="false")
    assert (imported.recs_added, imported.total_records_parsed) == (150, 150)


def refusals():
    stranger = client.with_options(api_token="cfut_nobody")
    refused(cloudflare.PermissionDeniedError, 9109, lambda: stranger.dns.records.list(zone_id=ZONE))
    error = refused(
        cloudflare.BadRequestError,
        1004,
        lambda: records.create(zone_id=ZONE, name="x", type="A", content="198.51.100.1", ttl=5),
    )
    assert error.body["errors"][0]["error_chain"][0]["code"] == 9021
    refused(cloudflare.BadRequestError, 7003, lambda: records.list(zone_id="0" * 32))


for check in (zones_and_token, single_records, batches_and_pages, refusals):
    check()
    print(f"sdk {cloudflare.__version__}: {check.__name__} ok")
