"""The house rules that a linter cannot hold: sizes, docstrings, the README's tree, plan fields with words."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from recipes.plan import Plan

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(path for top in ("assistant", "recipes") for path in (ROOT / top).rglob("*.py"))
README = (ROOT / "README.md").read_text(encoding="utf-8")


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_functions_stay_short() -> None:
    lengths = sorted(length(node) for path in SOURCES for node in functions(path))
    assert len(lengths) > 300, "the walk lost the code"
    assert lengths[int(0.9 * len(lengths))] < 50
    longest = [
        (length(node), path.name, node.name) for path in SOURCES for node in functions(path) if length(node) > 90
    ]
    assert longest == []


def test_every_module_and_public_function_says_what_it_is_for() -> None:
    silent = []
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name = path.relative_to(ROOT)
        if tree.body and not ast.get_docstring(tree):
            silent.append(str(name))
        silent += [
            f"{name}:{node.name}"
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
            and not (isinstance(node, ast.ClassDef) and path.name == "events.py")
        ]
    assert silent == []


def test_the_readme_tree_is_the_tree_on_disk() -> None:
    block = re.search(r"```text\n(finetune-assistant/\n.*?)```", README, re.DOTALL)
    assert block, "README.md has lost its tree"
    listed, folder = set(), ""
    for line in block[1].splitlines()[1:]:
        entry = line.split("  ")[0] if not line.startswith(" ") else line.strip().split("  ")[0]
        if not line.startswith(" "):
            folder = entry if entry.endswith("/") else ""
            listed.add(entry)
        else:
            listed.update(folder + name for name in entry.split())
    missing = sorted(name for name in listed if not (ROOT / name).exists())
    assert missing == []
    modules = {str(path.relative_to(ROOT)) for path in SOURCES if path.name not in ("__init__.py", "__main__.py")}
    told = {name for name in listed if name.endswith(".py")}
    assert sorted(modules - told) == [], "these modules are not in the README's tree"


def test_every_plan_field_says_its_trade() -> None:
    def silent(model: type[BaseModel], prefix: str = "") -> list[str]:
        found = []
        for name, field in model.model_fields.items():
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found += silent(kind, f"{prefix}{name}.")
            elif not field.description and name not in ("version", "task", "problem"):
                found.append(prefix + name)
        return found

    assert silent(Plan) == []


def commands_of_the_readme() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    return [line for block in blocks for line in block.strip().splitlines()]


def test_the_readme_has_the_two_commands_and_they_name_real_extras() -> None:
    commands = commands_of_the_readme()
    assert 'python -m pip install ".[starter]" && finetune-assistant' in commands
    assert 'python -m pip install ".[starter,dev]" && python -m pytest' in commands
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"starter", "dev"} <= set(project["optional-dependencies"])
    assert "finetune-assistant" in project["scripts"]


@pytest.mark.parametrize(
    "command", [line for line in commands_of_the_readme() if "--dry-run" in line or " doctor " in line]
)
def test_a_command_of_the_readme_runs(command: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "assistant", "--home", str(tmp_path)]
    rest = re.findall(r'"([^"]*)"|(\S+)', command.removeprefix("finetune-assistant "))
    done = subprocess.run(
        [*words, *[quoted or bare for quoted, bare in rest]], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) > 100


def test_no_file_names_a_registry_or_a_private_path() -> None:
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT).stdout.split()
    if not tracked:
        pytest.skip("not a git checkout")
    words = re.compile(r"/work/|find-links|index-url|/opt/wheels", re.IGNORECASE)
    texts = [name for name in tracked if Path(name).suffix in (".py", ".toml", ".md", ".txt", ".yml", "")]
    guilty = [
        name
        for name in texts
        if name != "tests/test_house.py" and words.search((ROOT / name).read_text(encoding="utf-8", errors="ignore"))
    ]
    assert guilty == []


def test_everything_that_is_read_at_run_time_is_packaged() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    packaged = {
        path
        for package, patterns in setup["package-data"].items()
        for p in patterns
        for path in (ROOT / package).glob(p)
    }
    data = {
        path
        for top in ("assistant", "recipes")
        for path in (ROOT / top).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and not any(p.startswith(".") for p in path.parts)
    }
    assert sorted(data - packaged - {ROOT / "recipes" / "ruff.toml"}) == []
