"""What does the gateway route? Envoy's configuration, made from the paths that the services serve.

`python -m deploy.gateway.generate` prints it; `deploy/gateway/envoy.yaml` is that output, and a test holds it to it.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence

import yaml

PORT = 8080
METRICS_PORT = 9902
_ADMIN_PORT = 9901
_SERVICE_PORT = 8000
_SECONDS = "30s"
# A stream says something every 15 seconds; one that is silent for so long is dead.
_STREAM_IDLE_SECONDS = "60s"
_PROBLEM = "application/problem+json"
LOGINS = "auth-logins"
"""Replicas of auth apart: what hashes passwords for strangers, who may come in storms, takes no turn of other requests."""
STORMY = ("/v1/auth/login", "/v1/auth/register")
"""The paths that go there."""
_KNOWN_REPLIES = (
    (404, "not-found", "Not Found"),
    (408, "too-slow", "Request Timeout"),
    (503, "unavailable", "Service Unavailable"),
    (504, "unavailable", "Gateway Timeout"),
)
_API = "type.googleapis.com/envoy.extensions"

# JSON for Envoy: nothing of ours reads it again.
Json = dict[str, object]


def envoy_config(
    prefixes: Mapping[str, Sequence[str]], streams: Collection[str] = (), stormy: Collection[str] = ()
) -> Json:
    """The gateway in front of the services, each of which owns some path prefixes (`/v1/orders`, not `/v1/orders/`).

    `streams` are the paths whose answers have no end, `stormy` those that go to `auth-logins`. A service `orders` is
    looked for at `orders:8000`, every address of that name. Raises ValueError when two services want one prefix.
    """
    owners = [(prefix, service) for service, own in sorted(prefixes.items()) for prefix in sorted(own)]
    if len({prefix for prefix, _ in owners}) < len(owners):
        raise ValueError(f"a prefix has two owners: {owners}")
    apart = [_route({"path": path}, LOGINS) for path in sorted(stormy)]
    services = [*prefixes, LOGINS] if apart else prefixes
    return {
        "admin": {"address": _address("127.0.0.1", _ADMIN_PORT)},
        "static_resources": {
            "listeners": [_public([*apart, *_routes(owners, streams)]), _metrics()],
            "clusters": [*(_service(name) for name in sorted(services)), _admin()],
        },
    }


def _routes(owners: Sequence[tuple[str, str]], streams: Collection[str]) -> list[Json]:
    endless = [_stream(path, service) for path in sorted(streams) for prefix, service in owners if _below(path, prefix)]
    # The longest first, so that a prefix below another one is not hidden by it.
    ordered = sorted(owners, key=lambda owner: (-len(owner[0]), owner[0]))
    return [
        *endless,
        *(_route({"path_separated_prefix": prefix}, service) for prefix, service in ordered),
        _unknown_path(),
    ]


def _below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


def _route(match: Json, service: str) -> Json:
    return {"match": match, "route": {"cluster": service, "timeout": _SECONDS}}


def _stream(path: str, service: str) -> Json:
    return {
        "match": {"path": path},
        "route": {"cluster": service, "timeout": "0s", "idle_timeout": _STREAM_IDLE_SECONDS},
    }


def _unknown_path() -> Json:
    return {
        "match": {"prefix": "/"},
        "direct_response": {"status": 404, "body": {"inline_string": "no service has this path"}},
    }


def _public(routes: list[Json]) -> Json:
    # Only where a service has not seen the request yet, so that nothing is done twice.
    retry = {
        "retry_on": "connect-failure,refused-stream",
        "num_retries": 2,
        # A replica that is gone has the fewest requests, and would be tried again and again.
        "retry_host_predicate": [_previous_hosts()],
        "host_selection_retry_max_attempts": 5,
    }
    everything = {"name": "all", "domains": ["*"], "retry_policy": retry, "routes": routes}
    manager: Json = {
        "stat_prefix": "public",
        "route_config": {"name": "public", "virtual_hosts": [everything]},
        "http_filters": [_router()],
        "local_reply_config": _local_replies(),
        "access_log": [_access_log()],
        "server_header_transformation": "PASS_THROUGH",
        # The client's address is what connects here: what it says of itself is not believed.
        "use_remote_address": True,
        "normalize_path": True,
        "merge_slashes": True,
        # Part of a name, such as that of the instrument BTC/USDT: services take paths apart by the others alone.
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "common_http_protocol_options": {"idle_timeout": "300s", "headers_with_underscores_action": "REJECT_REQUEST"},
        "request_headers_timeout": "10s",
        "request_timeout": _SECONDS,
        "stream_idle_timeout": _STREAM_IDLE_SECONDS,
        "drain_timeout": "5s",
    }
    return _listener("public", "0.0.0.0", PORT, manager)  # noqa: S104 in a container of its own


def _metrics() -> Json:
    """Envoy's figures alone: its administration stays on loopback."""
    route = {"match": {"path": "/stats/prometheus"}, "route": {"cluster": "admin"}}
    manager: Json = {
        "stat_prefix": "metrics",
        "route_config": {"name": "metrics", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [_router()],
    }
    return _listener("metrics", "0.0.0.0", METRICS_PORT, manager)  # noqa: S104 as above; the port is not published


def _listener(name: str, host: str, port: int, manager: Json) -> Json:
    kind = f"{_API}.filters.network.http_connection_manager.v3.HttpConnectionManager"
    connection = {"name": "http", "typed_config": {"@type": kind, **manager}}
    return {
        "name": name,
        "address": _address(host, port),
        "per_connection_buffer_limit_bytes": 1_048_576,
        "filter_chains": [{"filters": [connection]}],
    }


def _router() -> Json:
    return {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{_API}.filters.http.router.v3.Router"},
    }


def _previous_hosts() -> Json:
    name = "previous_hosts"
    kind = f"{_API}.retry.host.{name}.v3.PreviousHostsPredicate"
    return {"name": f"envoy.retry_host_predicates.{name}", "typed_config": {"@type": kind}}


def _local_replies() -> Json:
    """What Envoy answers by itself, as problems too (RFC 9457)."""
    return {
        "mappers": [
            {
                "filter": {
                    "status_code_filter": {
                        "comparison": {"op": "EQ", "value": {"default_value": status, "runtime_key": f"reply.{status}"}}
                    }
                },
                "body_format_override": _problem(slug, title),
            }
            for status, slug, title in _KNOWN_REPLIES
        ],
        "body_format": _problem("gateway", "Refused by the gateway"),
    }


def _problem(slug: str, title: str) -> Json:
    problem = {
        "type": f"urn:fillstream:problem:{slug}",
        "title": title,
        "status": "%RESPONSE_CODE%",
        "detail": "%LOCAL_REPLY_BODY%",
        "errors": [],
    }
    return {"json_format": problem, "content_type": _PROBLEM}


def _access_log() -> Json:
    fields = {
        "event": "request",
        "timestamp": "%START_TIME%",
        "method": "%REQUEST_HEADER(:METHOD)%",
        # Without the query, which may hold what is nobody's business.
        "path": "%PATH(NQ)%",
        "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "milliseconds": "%DURATION%",
        "upstream": "%UPSTREAM_CLUSTER%",
        "correlation_id": "%RESPONSE_HEADER(X-CORRELATION-ID)%",
    }
    return {
        "name": "stdout",
        "typed_config": {
            "@type": f"{_API}.access_loggers.stream.v3.StdoutAccessLog",
            "log_format": {"json_format": fields},
        },
    }


def _service(name: str) -> Json:
    check = {
        "timeout": "2s",
        "interval": "5s",
        # Else one that was not there yet at the first look, and gets no requests, is not looked at for a minute.
        "no_traffic_interval": "5s",
        "unhealthy_interval": "1s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "http_health_check": {"path": "/readyz"},
    }
    return {
        "name": name,
        "type": "STRICT_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "connect_timeout": "2s",
        "lb_policy": "LEAST_REQUEST",
        "load_assignment": _endpoint(name, name, _SERVICE_PORT),
        "health_checks": [check],
    }


def _admin() -> Json:
    return {
        "name": "admin",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": _endpoint("admin", "127.0.0.1", _ADMIN_PORT),
    }


def _endpoint(cluster: str, host: str, port: int) -> Json:
    endpoint = {"endpoint": {"address": _address(host, port)}}
    return {"cluster_name": cluster, "endpoints": [{"lb_endpoints": [endpoint]}]}


def _address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def to_yaml(config: Json) -> str:
    """The configuration as a file, the same for the same services."""
    text: str = yaml.safe_dump(config, sort_keys=False, width=120)
    return f"# Made by `python -m deploy.gateway.generate`; change that, not this.\n{text}"


def main() -> None:
    """Print the configuration for the services of this checkout."""
    from fillstream.contexts import load_all
    from fillstream.gateway import prefixes

    contexts = load_all()
    streams = [
        route.path
        for context in contexts
        for route in context.router.routes
        if getattr(route, "is_sse_stream", False) and hasattr(route, "path")
    ]
    sys.stdout.write(to_yaml(envoy_config({context.name: prefixes(context) for context in contexts}, streams, STORMY)))


if __name__ == "__main__":
    main()
