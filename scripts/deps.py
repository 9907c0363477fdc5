"""Checks the dependencies against deny.toml without any tool beyond cargo and Python."""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
MINIMUM_SQLITE_SYS = (0, 37, 0)  # bundles SQLite 3.51.3; older ones can corrupt a WAL database


def licence_is_allowed(expression: str, allowed: set[str]) -> bool:
    """SPDX: any side of OR, every side of AND; the old `/` means OR."""
    expression = expression.replace("/", " OR ").strip()
    tokens = re.findall(r"\(|\)|[^\s()]+", expression)
    position = 0

    def either() -> bool:
        nonlocal position
        result = both()
        while position < len(tokens) and tokens[position] == "OR":
            position += 1
            right = both()
            result = result or right
        return result

    def both() -> bool:
        nonlocal position
        result = single()
        while position < len(tokens) and tokens[position] == "AND":
            position += 1
            right = single()
            result = result and right
        return result

    def single() -> bool:
        nonlocal position
        if tokens[position] == "(":
            position += 1
            result = either()
            position += 1
            return result
        name = tokens[position]
        position += 1
        if position < len(tokens) and tokens[position] == "WITH":
            name = f"{name} WITH {tokens[position + 1]}"
            position += 2
        return name in allowed

    return either()


def main() -> int:
    policy = tomllib.loads((ROOT / "deny.toml").read_text())
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())
    output = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--locked"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    packages = json.loads(output)["packages"]
    findings = []
    allowed = set(policy["licenses"]["allow"])
    for package in packages:
        if package["source"] is None:
            continue
        name, version = package["name"], package["version"]
        licence = package["license"] or ""
        if not licence or not licence_is_allowed(licence, allowed):
            findings.append(f"{name} {version}: licence {licence or 'not stated'} is not in deny.toml")
        if not package["source"].startswith("registry+"):
            findings.append(f"{name} {version}: comes from {package['source']}, not from the registry")
        for ban in policy["bans"]["deny"]:
            if ban["name"] == name and ban.get("version", f"={version}") == f"={version}":
                findings.append(f"{name} {version}: banned: {ban['reason']}")
        if name == "libsqlite3-sys" and tuple(int(part) for part in version.split("+")[0].split(".")) < MINIMUM_SQLITE_SYS:
            findings.append(f"{name} {version}: bundles a SQLite that can corrupt a WAL database")
    sources = {
        "dependencies": "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.rs")),
        "dev-dependencies": "\n".join(
            path.read_text() for folder in ("src", "tests", "benches") for path in (ROOT / folder).rglob("*.rs")
        ),
    }
    tables = [manifest, *manifest.get("target", {}).values()]
    for table in tables:
        for kind, text in sources.items():
            for name in table.get(kind, {}):
                if not re.search(rf"\b{name.replace('-', '_')}\b", text):
                    findings.append(f"{name}: in [{kind}], but nothing uses it")
    for finding in findings:
        print(finding)
    print(f"{len(packages) - 1} packages checked, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
