#!/bin/sh
# Runs foreign clients against the local cloud: the official Python SDK, octoDNS, boto3, the AWS CLI and Terraform.
# Arguments choose among them.
#
#   python3 -m venv /tmp/peers && /tmp/peers/bin/pip install cloudflare octodns octodns-cloudflare boto3 awscli
#   PEER_PYTHON=/tmp/peers/bin/python crates/local-cloud/tests/peers/run.sh
set -eu
: "${PEER_PYTHON:?set it to the python of a venv with cloudflare, octodns, octodns-cloudflare, boto3 and awscli}"
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
cargo build --quiet --package alfred-local-cloud --example serve
target=${CARGO_TARGET_DIR:-$here/../../../../target}
[ $# -gt 0 ] || set -- sdk octodns boto awscli terraform
for peer in "$@"; do
    LOCAL_CLOUD_HTTP=127.0.0.1:0 LOCAL_CLOUD_DNS=127.0.0.1:0 LOCAL_CLOUD_R2=127.0.0.1:0 "$target/debug/examples/serve" >"$folder/$peer.env" &
    server=$!
    trap 'kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
    tries=0
    until grep -qs ALFRED_DNS_SERVER "$folder/$peer.env"; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || { echo "the local cloud did not start" >&2; exit 1; }
        sleep 0.1
    done
    # `set -a` exports what the server printed.
    (set -a; . "$folder/$peer.env"; exec "$PEER_PYTHON" -P "$here/$peer.py")
    kill "$server"
    wait "$server" 2>/dev/null || true
done
