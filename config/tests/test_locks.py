"""The lock files install with plain pip, each alone: all that a pinned package asks for is pinned in the same file."""

import re
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def pins(name: str) -> dict[str, Requirement]:
    lines = re.findall(r"^([a-z0-9][^\s\\]*==[^\\\n]*?)\s*\\?$", (ROOT / name).read_text(), re.MULTILINE)
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): each for each in found if not each.marker or each.marker.evaluate()}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_a_lock_file_is_complete(name):
    pinned, missing = pins(name), []
    for package, pin in pinned.items():
        try:
            wanted = [Requirement(line) for line in requires(package) or []]
        except PackageNotFoundError:
            continue
        for each in wanted:
            if each.marker and not any(each.marker.evaluate({"extra": extra}) for extra in ("", *pin.extras)):
                continue
            found = pinned.get(canonicalize_name(each.name))
            version = str(found.specifier).removeprefix("==") if found else ""
            if not found or not each.specifier.contains(version, prereleases=True) or not each.extras <= found.extras:
                missing.append(f"{package} needs {each}")

    assert len(pinned) > 30
    assert missing == []


def test_the_lock_files_agree():
    first, second = pins("requirements.txt"), pins("requirements-dev.txt")

    assert {name for name in first.keys() & second.keys() if first[name].specifier != second[name].specifier} == set()
