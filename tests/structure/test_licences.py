"""Does the check of licences find what must not run?"""

from __future__ import annotations

import pytest

from tests.licences import (
    PERMITS,
    Package,
    forbidden,
    licence_of,
    licence_said,
    objection,
    packages,
    pinned,
    runtime_locks,
)


def _package(name: str, licence: str, *locks: str) -> Package:
    return Package(name, "1.0", licence, frozenset(locks or {"embedded.txt"}))


@pytest.mark.parametrize(
    "licence",
    [
        "AGPL-3.0-only",
        "GNU Affero General Public License v3",
        "GPL-3.0-or-later",
        "GNU General Public License v2 (GPLv2)",
        "LGPL-2.1",
        "GNU Lesser General Public License v3 (LGPLv3)",
        "SSPL-1.0",
        "BUSL-1.1",
        "Apache-2.0 with Commons Clause",
        "MIT AND GPL-2.0",
        "AGPL-3.0 OR SSPL-1.0",
    ],
)
def test_a_forbidden_licence_is_named(licence: str) -> None:
    assert forbidden(licence)
    assert licence in (objection(_package("some-package", licence)) or "")


@pytest.mark.parametrize(
    "licence",
    [
        "MIT",
        "Apache Software License",
        "BSD-3-Clause",
        "Apache-2.0 OR GPL-2.0",
        "MIT AND PSF-2.0",
        "ISC License (ISCL)",
    ],
)
def test_a_free_licence_is_left_alone(licence: str) -> None:
    assert objection(_package("some-package", licence)) is None


@pytest.mark.parametrize("licence", ["", "Proprietary", "see LICENSE", "admit", "MIT AND Proprietary"])
def test_a_licence_that_nobody_knows_is_named(licence: str) -> None:
    assert "look it up" in (objection(_package("some-package", licence)) or "")


def test_a_permit_is_for_its_lock_files_alone() -> None:
    name, permit = next(iter(PERMITS.items()))
    assert objection(_package(name, permit.licence, *permit.locks)) is None
    assert "service-orders.txt" in (objection(_package(name, permit.licence, "service-orders.txt")) or "")


def test_the_expression_comes_before_classifiers_and_these_before_the_old_field() -> None:
    classifiers = ["Programming Language :: Python", "License :: OSI Approved", "License :: OSI Approved :: GPLv2"]
    assert licence_said(None, [], "Apache 2.0\nand the whole text") == "Apache 2.0"
    assert licence_said(None, classifiers, "Apache 2.0") == "GPLv2"
    assert licence_said("MIT", classifiers, "Apache 2.0") == "MIT"


def test_names_and_versions_are_read_from_a_lock_file() -> None:
    text = "anyio==4.1 \\\n    --hash=sha256:00\nuvloop==0.23.0 ; sys_platform != 'win32' \\\n    --hash=sha256:01\n"
    assert pinned(text) == {"anyio": "4.1", "uvloop": "0.23.0"}


def test_a_package_that_is_not_here_has_no_known_licence() -> None:
    assert not licence_of("a-package-that-nobody-made")


def test_nothing_that_runs_is_under_a_forbidden_licence() -> None:
    found = packages(runtime_locks())
    assert len(found) > 50
    assert not {package.name: why for package in found if (why := objection(package))}
