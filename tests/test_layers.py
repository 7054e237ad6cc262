"""Imports point one way. The table is the architecture; every module's imports are held to it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

CONTRACT = {"recipes.plan", "recipes.events"}
TORCH_STACK = {"torch", "torchvision", "transformers", "accelerate", "peft", "trl"}

# Longest matching prefix wins. "ours": what of our own code a module may import (its own package is always allowed);
# "never": what of other people's it must not import, not even inside a function.
ALLOWED: dict[str, dict[str, set[str]]] = {
    "recipes.plan": {"ours": set(), "never": TORCH_STACK | {"gradio", "pandas", "sklearn"}},
    "recipes.events": {"ours": set(), "never": TORCH_STACK | {"gradio", "pandas", "sklearn"}},
    "recipes.parts": {"ours": CONTRACT, "never": {"gradio"}},
    "recipes": {"ours": {"recipes"}, "never": {"gradio"}},
    "assistant.errors": {"ours": set(), "never": TORCH_STACK | {"gradio"}},
    "assistant.data": {"ours": {"assistant.errors"}, "never": TORCH_STACK | {"gradio"}},
    "assistant.advise": {"ours": CONTRACT | {"assistant.errors", "assistant.data"}, "never": TORCH_STACK | {"gradio"}},
    "assistant.chat": {
        "ours": CONTRACT | {"assistant.errors", "assistant.data", "assistant.advise"},
        "never": TORCH_STACK | {"gradio", "sqlite3", "subprocess"},
    },
    "assistant.jobs": {"ours": CONTRACT | {"assistant.errors", "assistant.report"}, "never": TORCH_STACK | {"gradio"}},
    "assistant.report": {"ours": CONTRACT | {"assistant.errors"}, "never": TORCH_STACK | {"gradio"}},
    "assistant.session": {
        "ours": CONTRACT
        | {f"assistant.{part}" for part in ("errors", "data", "advise", "chat", "jobs", "report", "effects", "trying")},
        "never": TORCH_STACK | {"gradio"},
    },
    "assistant.ui": {
        "ours": CONTRACT
        | {f"assistant.{part}" for part in ("errors", "data", "chat", "report", "session", "trying", "advise.catalog")},
        "never": TORCH_STACK,
    },
    "assistant.effects": {
        "ours": CONTRACT
        | {f"assistant.{part}" for part in ("errors", "data", "advise", "chat", "jobs", "report", "measuring")},
        "never": TORCH_STACK | {"gradio"},
    },
    "assistant.measuring": {
        "ours": CONTRACT | {f"assistant.{part}" for part in ("errors", "data", "advise", "jobs")},
        "never": TORCH_STACK | {"gradio"},
    },
    "assistant.cli": {"ours": CONTRACT | {"assistant"}, "never": TORCH_STACK | {"gradio"}},
    "assistant": {"ours": CONTRACT | {"assistant"}, "never": TORCH_STACK | {"gradio"}},
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def rule_for(module: str) -> tuple[str, dict[str, set[str]]]:
    return max(
        ((prefix, rule) for prefix, rule in ALLOWED.items() if module == prefix or module.startswith(prefix + ".")),
        key=lambda pair: len(pair[0]),
    )


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, at the top or inside a function; `from a import b` counts as a.b and as a."""
    found: set[str] = set()
    package = module_name(path).split(".") if path.name == "__init__.py" else module_name(path).split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            found.update(f"{origin}.{alias.name}" for alias in node.names)
    return found


def within(name: str, prefixes: set[str]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def breaches(path: Path) -> list[str]:
    module = module_name(path)
    prefix, rule = rule_for(module)
    allowed = rule["ours"] | ({prefix} if prefix not in ("assistant", "recipes") else set()) | {module}
    wrong = []
    for name in sorted(imports_of(path)):
        if name.split(".")[0] in ("assistant", "recipes"):
            if name != "recipes" and not within(name, allowed):  # the bare package is empty: only its place on disk
                wrong.append(f"{module} imports {name}")
        elif within(name, rule["never"]):
            wrong.append(f"{module} imports {name}, which is not for this layer")
    return wrong


def sources() -> list[Path]:
    return sorted(path for top in ("assistant", "recipes") for path in (ROOT / top).rglob("*.py"))


def test_every_module_keeps_to_the_table() -> None:
    seen = sources()
    assert len(seen) > 40, "the walk lost the code that it is there to guard"
    assert {rule_for(module_name(path))[0] for path in seen} >= set(ALLOWED) - {"assistant"}
    assert [line for path in seen for line in breaches(path)] == []


def test_a_planted_breach_is_seen(tmp_path: Path, monkeypatch) -> None:
    planted = tmp_path / "assistant" / "data" / "planted.py"
    planted.parent.mkdir(parents=True)
    planted.write_text("def f():\n    import torch\n    from assistant.chat import rules\n", encoding="utf-8")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert len(breaches(planted)) == 2


def test_the_page_process_never_imports_torch() -> None:
    code = (
        "import pkgutil, importlib, sys, assistant\n"
        "names = [m.name for m in pkgutil.walk_packages(assistant.__path__, 'assistant.')]\n"
        "[importlib.import_module(name) for name in names if not name.endswith('__main__')]\n"
        "heavy = {'torch', 'transformers', 'accelerate', 'peft'} & set(sys.modules)\n"
        "print(len(names), sorted(heavy))\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    count, heavy = done.stdout.strip().splitlines()[-1].split(" ", 1)
    assert int(count) > 25
    assert heavy == "[]"
