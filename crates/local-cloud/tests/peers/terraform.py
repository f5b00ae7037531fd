"""Terraform's backend `s3` with its lock file, against the local cloud's R2; run by run.sh."""

import atexit
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import boto3
from botocore.config import Config

program = shutil.which("terraform")
if program is None:
    # Terraform's licence lets nobody pack it; whoever has it has this tested.
    print("could not run: peers/terraform.py: put `terraform` 1.11 or newer into `PATH`")
    sys.exit(0)

folder = pathlib.Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, folder)
settings = f"""
terraform {{
  backend "s3" {{
    bucket                      = "states"
    key                         = "app/terraform.tfstate"
    region                      = "auto"
    endpoints                   = {{ s3 = "{os.environ['R2_ENDPOINT']}" }}
    use_path_style              = true
    use_lockfile                = true
    skip_credentials_validation = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
    skip_requesting_account_id  = true
    skip_s3_checksum            = true
  }}
}}
"""
(folder / "rc").write_text("")
environment = os.environ | {
    "CHECKPOINT_DISABLE": "1",
    "TF_CLI_CONFIG_FILE": str(folder / "rc"),
    "TF_IN_AUTOMATION": "1",
    "AWS_CONFIG_FILE": str(folder / "config"),
    "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
}
s3 = boto3.client(
    "s3",
    endpoint_url=os.environ["R2_ENDPOINT"],
    region_name="auto",
    config=Config(request_checksum_calculation="when_required", response_checksum_validation="when_required"),
)
s3.create_bucket(Bucket="states")
# One write a second for each key would make every second command wait, or fail.
body = json.dumps({"r2_write_interval_ms": 0}).encode()
url = os.environ["LOCAL_CLOUD_ADMIN"] + "/options"
urllib.request.urlopen(urllib.request.Request(url, data=body, method="PATCH")).close()


def workspace(name, resources):
    path = folder / name
    path.mkdir()
    (path / "main.tf").write_text(settings + resources)
    assert terraform(path, "init", "-input=false").returncode == 0
    return path


def start(path, *words):
    return subprocess.Popen(
        [program, *words, "-no-color"], cwd=path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def terraform(path, *words):
    child = start(path, *words)
    child.output = child.communicate(timeout=120)[0]
    return child


def succeeds(path, *words):
    done = terraform(path, *words)
    assert done.returncode == 0, done.output
    return done.output


def keys():
    return [item["Key"] for item in s3.list_objects_v2(Bucket="states").get("Contents", [])]


one = workspace("one", 'resource "terraform_data" "a" {\n  input = "first"\n}\n')
assert "1 to add" in succeeds(one, "plan", "-input=false")
succeeds(one, "apply", "-auto-approve")
assert keys() == ["app/terraform.tfstate"], keys()
state = json.loads(succeeds(one, "state", "pull"))
assert (state["serial"], len(state["resources"])) == (1, 1), state
assert terraform(one, "plan", "-detailed-exitcode").returncode == 0

# A lock that somebody holds is named to whoever comes, and given up by force only.
held = json.dumps({"ID": "7c3d1b6e-0000-4000-8000-000000000000", "Operation": "test", "Who": "somebody@else"})
s3.put_object(Bucket="states", Key="app/terraform.tfstate.tflock", Body=held.encode())
refused = terraform(one, "apply", "-auto-approve")
assert refused.returncode == 1 and "somebody@else" in refused.output, refused.output
succeeds(one, "force-unlock", "-force", "7c3d1b6e-0000-4000-8000-000000000000")
assert keys() == ["app/terraform.tfstate"], keys()

# Two at once: whoever gets the lock keeps it until the other has been refused.
for round in range(3):
    gate = folder / f"gate-{round}"
    waits = f"until [ -e {gate} ]; do sleep 0.05; done"
    slow = f'resource "terraform_data" "b{round}" {{\n  provisioner "local-exec" {{\n    command = "{waits}"\n  }}\n}}\n'
    pair = [workspace(f"{name}-{round}", slow) for name in ("left", "right")]
    children = [start(path, "apply", "-auto-approve") for path in pair]
    while all(child.poll() is None for child in children):
        time.sleep(0.05)
    [loser] = [child for child in children if child.poll() is not None]
    gate.touch()
    [winner] = [child for child in children if child is not loser]
    told = loser.communicate(timeout=120)[0]
    assert loser.returncode == 1 and "Error acquiring the state lock" in told and "412" in told, told
    told = winner.communicate(timeout=120)[0]
    assert winner.returncode == 0 and "Apply complete" in told, told
    assert keys() == ["app/terraform.tfstate"], keys()

succeeds(one, "destroy", "-auto-approve")
assert json.loads(succeeds(one, "state", "pull"))["resources"] == []
print("terraform: works against R2")
