"""Halves the wait for the page: gradio writes type stubs for each of its components on every import (about 0.9 s).

Import this before gradio. It replaces that one function by one that does nothing; where gradio has changed, nothing is
replaced and the import is only slower.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from types import ModuleType

_MODULE = "gradio.component_meta"
#: Read by gradio on import: no version check, no usage figures, nothing sent anywhere.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"


class _WithoutStubs(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        if hasattr(module, "create_or_modify_pyi"):
            vars(module)["create_or_modify_pyi"] = _nothing


def _nothing(*_: object, **__: object) -> None:
    """In place of the function that writes the stubs."""


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the import system's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        if name != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _WithoutStubs(spec.loader)
        return spec


def install() -> None:
    """Take effect on the next import of gradio; nothing happens when it was imported already."""
    if _MODULE not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
