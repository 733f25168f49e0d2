"""Is the repository free of this machine? No file names a registry's host or a path of whoever wrote it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from services.auth.program_keys import KeySecret, new_prefix
from tests.structure.sources import ROOT, committed

# In pieces, so that this file names none of them.
_HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("repo1", "maven", "org"),
        ("repo", "maven", "apache", "org"),
        ("central", "sonatype", "com"),
        ("registry", "npmjs", "org"),
        ("proxy", "golang", "org"),
        ("jfrog", "io"),
    )
]
# As services/auth/program_keys.py makes them.
_API_KEY = re.compile(r"fsk_[A-Za-z0-9]{8}_[\w-]{43}")
_INDEX_VARIABLES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX")
_IMAGES = {"Dockerfile"}
"""Their paths are those of the image."""
_PRIVATE_PATH = re.compile(r"(?<![\w.}/-])/(?:work|root|home|Users)/[\w.-]+")


def hosts_named(text: str) -> set[str]:
    """Hosts of package registries in a text; also those that this machine is set to use."""
    configured = (urlsplit(url).hostname for name in _INDEX_VARIABLES for url in os.environ.get(name, "").split())
    own = {host for host in configured if host and not host.startswith(("127.", "localhost"))}
    return {host for host in {*_HOSTS, *own} if host in text.lower()}


def private_paths(text: str) -> set[str]:
    """Absolute paths of somebody's machine in a text."""
    return set(_PRIVATE_PATH.findall(text))


def api_keys(text: str) -> set[str]:
    """Secrets of API keys in a text."""
    return set(_API_KEY.findall(text))


def _texts() -> Iterator[tuple[str, str]]:
    for path in committed():
        name = path.relative_to(ROOT).as_posix()
        try:
            yield name, path.read_text()
        except UnicodeDecodeError:
            continue


@pytest.mark.parametrize("host", _HOSTS)
def test_a_host_of_a_registry_is_found(host: str) -> None:
    assert hosts_named(f"see https://{host}/simple for more") == {host}


def test_a_host_that_this_machine_is_set_to_use_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_INDEX_URL", "https://user@packages.example/simple")
    assert hosts_named("Packages.example") == {"packages.example"}


def test_a_private_path_is_found_and_a_public_one_is_not() -> None:
    assert private_paths("cd " + "/home" + "/anna/fillstream")
    assert private_paths('"' + "/Users" + '/anna"')
    assert not private_paths("/v1/orders, docs/work/notes, /var/lib/fillstream, ${HOME}/home/x, /work")


def test_an_api_key_is_found() -> None:
    secret = KeySecret.generate(new_prefix()).text
    assert api_keys(f"secret: {secret}.") == {secret}
    assert not api_keys("client_id=fsk_Ab12Cd34 client_secret=$secret")


def test_no_committed_file_holds_an_api_key() -> None:
    assert not {name: found for name, text in _texts() if (found := api_keys(text))}


def test_no_committed_file_names_a_package_registry() -> None:
    assert not {name: found for name, text in _texts() if (found := hosts_named(text))}


def test_no_committed_file_names_a_path_of_somebodys_machine() -> None:
    assert not {name: found for name, text in _texts() if name not in _IMAGES and (found := private_paths(text))}


def test_lock_files_hold_no_address() -> None:
    locks = [path for path in committed() if path.parent.name == "locks" or ".lock" in path.name]
    assert locks
    assert not [path.name for path in locks if "://" in path.read_text() and path.suffix != ".sh"]


def test_lock_files_hold_every_package_to_its_hashes() -> None:
    for path in sorted((ROOT / "locks").glob("*.txt")):
        pinned = [line for line in path.read_text().splitlines() if re.match(r"[A-Za-z0-9]", line)]
        assert pinned, path.name
        assert all("==" in line and line.endswith("\\") for line in pinned), path.name
