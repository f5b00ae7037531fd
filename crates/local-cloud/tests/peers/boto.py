"""The AWS SDK for Python (PyPI `boto3`) and Cloudflare's own for buckets, against the local cloud's R2; run by run.sh.

The two checksum settings are those that Cloudflare's documents name for AWS SDKs with R2.
"""

import hashlib
import io
import json
import os
import urllib.request

import boto3
import cloudflare
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from cloudflare import Cloudflare

ACCOUNT = os.environ["CLOUDFLARE_ACCOUNT_ID"]
MIB = 1024 * 1024
api = Cloudflare(
    api_token=os.environ["CLOUDFLARE_API_TOKEN"],
    base_url=os.environ["CLOUDFLARE_API_BASE"],
    max_retries=0,
)
s3 = boto3.client(
    "s3",
    endpoint_url=os.environ["R2_ENDPOINT"],
    region_name="auto",
    config=Config(
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"total_max_attempts": 1},
    ),
)


def refused(code, work):
    try:
        work()
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return
    raise AssertionError(f"{code} was expected")


def write_interval(milliseconds):
    body = json.dumps({"r2_write_interval_ms": milliseconds}).encode()
    url = os.environ["LOCAL_CLOUD_ADMIN"] + "/options"
    urllib.request.urlopen(urllib.request.Request(url, data=body, method="PATCH")).close()


def buckets_over_rest():
    made = api.r2.buckets.create(account_id=ACCOUNT, name="states", location_hint="weur")
    assert (made.name, made.location, made.storage_class) == ("states", "weur", "Standard"), made
    assert api.r2.buckets.get("states", account_id=ACCOUNT).name == "states"
    assert [bucket.name for bucket in api.r2.buckets.list(account_id=ACCOUNT).buckets] == ["states"]
    try:
        api.r2.buckets.create(account_id=ACCOUNT, name="states")
        raise AssertionError("a bucket is made once")
    except cloudflare.ConflictError as error:
        assert error.body["errors"][0]["code"] == 10073, error.body
    rule = {"id": "v", "enabled": True, "prefix": "v/", "condition": {"type": "Indefinite"}}
    api.r2.buckets.locks.update("states", account_id=ACCOUNT, rules=[rule])
    assert api.r2.buckets.locks.get("states", account_id=ACCOUNT).rules[0].prefix == "v/"
    rule = {
        "id": "tmp",
        "enabled": True,
        "conditions": {"prefix": "tmp/"},
        "deleteObjectsTransition": {"condition": {"type": "Age", "maxAge": 86400}},
    }
    api.put(
        f"/accounts/{ACCOUNT}/r2/buckets/states/lifecycle", body={"rules": [rule]}, cast_to=object
    )
    assert api.r2.buckets.lifecycle.get("states", account_id=ACCOUNT).rules[0].id == "tmp"
    rule = {"allowed": {"methods": ["GET"], "origins": ["https://app.example"]}}
    api.r2.buckets.cors.update("states", account_id=ACCOUNT, rules=[rule])
    assert api.r2.buckets.cors.get("states", account_id=ACCOUNT).rules[0].allowed.methods == ["GET"]
    managed = api.r2.buckets.domains.managed.update("states", account_id=ACCOUNT, enabled=True)
    assert managed.enabled and managed.domain.endswith(".r2.dev"), managed


def objects():
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["states"]
    put = s3.put_object(Bucket="states", Key="a/ü b", Body=b"one", Metadata={"serial": "7"}, ContentMD5="+XxdKZQb+xsv2rCHSQargg==")
    assert put["ETag"] == '"f97c5d29941bfb1b2fdab0874906ab82"', put
    got = s3.get_object(Bucket="states", Key="a/ü b")
    assert (got["Body"].read(), got["Metadata"]) == (b"one", {"serial": "7"}), got
    assert s3.get_object(Bucket="states", Key="a/ü b", Range="bytes=1-")["Body"].read() == b"ne"
    s3.copy_object(Bucket="states", Key="copy", CopySource={"Bucket": "states", "Key": "a/ü b"})
    assert s3.head_object(Bucket="states", Key="copy")["ContentLength"] == 3
    sums = s3.put_object(Bucket="states", Key="summed", Body=b"one", ChecksumAlgorithm="SHA256")
    assert "ChecksumSHA256" in sums, sums
    refused("404", lambda: s3.head_object(Bucket="states", Key="none"))
    refused("NoSuchKey", lambda: s3.get_object(Bucket="states", Key="none"))


def conditions():
    s3.put_object(Bucket="states", Key="lock", Body=b"1", IfNoneMatch="*")
    refused("PreconditionFailed", lambda: s3.put_object(Bucket="states", Key="lock", Body=b"2", IfNoneMatch="*"))
    etag = s3.head_object(Bucket="states", Key="lock")["ETag"]
    s3.put_object(Bucket="states", Key="lock", Body=b"2", IfMatch=etag)
    refused("PreconditionFailed", lambda: s3.put_object(Bucket="states", Key="lock", Body=b"3", IfMatch=etag))
    refused("304", lambda: s3.get_object(Bucket="states", Key="lock", IfNoneMatch=s3.head_object(Bucket="states", Key="lock")["ETag"]))
    write_interval(60_000)
    s3.put_object(Bucket="states", Key="busy", Body=b"1")
    refused("TooManyRequests", lambda: s3.put_object(Bucket="states", Key="busy", Body=b"2"))
    write_interval(0)


def parts():
    body = os.urandom(20 * MIB)
    s3.upload_fileobj(
        io.BytesIO(body), "states", "big", Config=TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=8 * MIB)
    )
    head = s3.head_object(Bucket="states", Key="big")
    assert (head["ContentLength"], head["ETag"][-3:]) == (20 * MIB, '-3"'), head
    back = io.BytesIO()
    s3.download_fileobj("states", "big", back)
    assert hashlib.sha256(back.getvalue()).digest() == hashlib.sha256(body).digest()
    upload = s3.create_multipart_upload(Bucket="states", Key="left")["UploadId"]
    s3.upload_part(Bucket="states", Key="left", UploadId=upload, PartNumber=1, Body=b"x")
    assert [item["UploadId"] for item in s3.list_multipart_uploads(Bucket="states")["Uploads"]] == [upload]
    s3.abort_multipart_upload(Bucket="states", Key="left", UploadId=upload)


def lists():
    for number in range(7):
        s3.put_object(Bucket="states", Key=f"list/{number}", Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="states", Prefix="list/", PaginationConfig={"PageSize": 3})
    assert [item["Key"] for page in pages for item in page["Contents"]] == [f"list/{number}" for number in range(7)]
    top = s3.list_objects_v2(Bucket="states", Delimiter="/")
    assert [item["Prefix"] for item in top["CommonPrefixes"]] == ["a/", "list/"], top
    assert "a/ü b" in [item["Key"] for item in s3.list_objects(Bucket="states")["Contents"]]
    keys = [{"Key": f"list/{number}"} for number in range(7)]
    assert len(s3.delete_objects(Bucket="states", Delete={"Objects": keys})["Deleted"]) == 7


def locks():
    s3.put_object(Bucket="states", Key="v/1", Body=b"kept")
    refused("ObjectLockedByBucketPolicy", lambda: s3.put_object(Bucket="states", Key="v/1", Body=b"other"))
    refused("ObjectLockedByBucketPolicy", lambda: s3.delete_object(Bucket="states", Key="v/1"))
    assert s3.get_object(Bucket="states", Key="v/1")["Body"].read() == b"kept"


def what_is_missing():
    refused("NotImplemented", lambda: s3.get_bucket_versioning(Bucket="states"))
    refused("NotImplemented", lambda: s3.get_object_tagging(Bucket="states", Key="copy"))
    refused("NotImplemented", lambda: s3.put_object(Bucket="states", Key="x", Body=b"", ServerSideEncryption="AES256"))
    assert s3.get_bucket_encryption(Bucket="states")["ServerSideEncryptionConfiguration"]["Rules"]
    assert s3.get_bucket_location(Bucket="states")["LocationConstraint"] == "WEUR"
    url = s3.generate_presigned_url("get_object", {"Bucket": "states", "Key": "copy"}, ExpiresIn=60)
    assert urllib.request.urlopen(url).read() == b"one"


write_interval(0)
for story in [buckets_over_rest, objects, conditions, parts, lists, locks, what_is_missing]:
    story()
print(f"boto3 {boto3.__version__}: works against R2")
