#!/bin/sh
# Resolves every lock file: versions and hashes, no addresses. The development lock is resolved first and holds all
# others to its versions, so that an image runs what the tests ran.
set -eu
cd "$(dirname "$0")/.."
compile() { .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header "$@"; }

services="auth billing marketdata notifications orders portfolio signals"
extras=$(for service in $services embedded; do printf -- '--extra %s ' "$service"; done)

# shellcheck disable=SC2086
compile pyproject.toml $extras --extra aws --extra gcp --group dev -o locks/dev.txt
# Quixstreams asks for older releases of pydantic and pydantic-settings; it runs with ours.
# shellcheck disable=SC2086
printf "pydantic>=2.14\npydantic-settings>=2.16\n" | compile pyproject.toml $extras --extra aws --extra gcp --group dev --group bench -c locks/dev.txt --override - -o locks/bench.txt
# shellcheck disable=SC2086
compile pyproject.toml $extras -c locks/dev.txt -o locks/embedded.txt
for service in $services; do
    compile pyproject.toml --extra "$service" -c locks/dev.txt -o "locks/service-$service.txt"
done
for keys in aws gcp; do
    compile pyproject.toml --extra "$keys" -c locks/dev.txt -o "locks/keys-$keys.txt"
done
echo "uv" | compile - -o locks/uv.txt
echo "bokeh_sampledata==2026.1" | compile - --no-deps -o locks/data.txt
