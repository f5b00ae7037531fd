"""The AWS CLI (PyPI `awscli`), unchanged, against the local cloud's R2; run by run.sh."""

import atexit
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

folder = pathlib.Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, folder)
program = pathlib.Path(sys.executable).with_name("aws")
# All that points it at R2, as Cloudflare's documents have it, is in variables.
environment = os.environ | {
    "AWS_ENDPOINT_URL_S3": os.environ["R2_ENDPOINT"],
    "AWS_DEFAULT_REGION": "auto",
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_CONFIG_FILE": str(folder / "config"),
    "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
    "AWS_PAGER": "",
}


def aws(*words, fails_with=None):
    done = subprocess.run([program, *words], env=environment, capture_output=True, text=True, timeout=120)
    if fails_with:
        assert done.returncode != 0 and fails_with in done.stderr, (words, done)
    else:
        assert done.returncode == 0, (words, done)
    return done.stdout


big = folder / "big"
big.write_bytes(os.urandom(20 * 1024 * 1024))
small = folder / "small"
small.write_text("one")

aws("s3", "mb", "s3://states")
aws("s3", "cp", str(small), "s3://states/small")
assert aws("s3", "cp", "s3://states/small", "-") == "one"
# 20 MiB go up in parts of 8 MiB.
aws("s3", "cp", "--no-progress", str(big), "s3://states/big")
head = json.loads(aws("s3api", "head-object", "--bucket", "states", "--key", "big"))
assert (head["ContentLength"], head["ETag"][-3:]) == (20 * 1024 * 1024, '-3"'), head
aws("s3", "cp", "--no-progress", "s3://states/big", str(folder / "back"))
digest = lambda path: hashlib.sha256(path.read_bytes()).hexdigest()
assert digest(folder / "back") == digest(big)
aws("s3", "cp", "--no-progress", "s3://states/small", "s3://states/folder/copy")
listed = [line.split()[-1] for line in aws("s3", "ls", "--recursive", "s3://states").splitlines()]
assert listed == ["big", "folder/copy", "small"], listed
put = ["s3api", "put-object", "--bucket", "states", "--key", "lock", "--body", str(small), "--if-none-match", "*"]
aws(*put)
aws(*put, fails_with="PreconditionFailed")
aws("s3api", "put-object", "--bucket", "states", "--key", "tagged", "--tagging", "a=b", fails_with="NotImplemented")
aws("s3", "rb", "s3://states", fails_with="BucketNotEmpty")
aws("s3", "rm", "--recursive", "--quiet", "s3://states")
assert aws("s3", "ls", "s3://states") == ""
aws("s3", "rb", "s3://states")
print("awscli: works against R2")
