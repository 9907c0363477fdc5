"""Validates an OpenRPC document: openrpc.py OPENRPC-META-SCHEMA.js JSON-META-SCHEMA.json DOCUMENT.json

Prints what was looked at and exits with 0, or prints every error and exits with 1. Fetches nothing.
"""

import json
import sys
from pathlib import Path

from jsonschema import Draft7Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7


def exported_object(path):
    """The JSON object in a JavaScript file that only exports it."""
    text = Path(path).read_text(encoding="utf-8")
    start = text.index("{", text.index("exports.openrpcDocument = {"))
    return json.JSONDecoder().raw_decode(text, start)[0]


def main():
    openrpc_path, json_schema_path, document_path = sys.argv[1:]
    schema = exported_object(openrpc_path)
    json_schema = json.loads(Path(json_schema_path).read_text(encoding="utf-8"))
    document = json.loads(Path(document_path).read_text(encoding="utf-8"))

    # OpenRPC's meta-schema names the other one without the slash that its $id has.
    identity = json_schema["$id"]
    resource = Resource(contents=json_schema, specification=DRAFT7)
    registry = Registry().with_resources([(identity, resource), (identity.rstrip("/"), resource)])

    errors = list(Draft7Validator(schema, registry=registry).iter_errors(document))
    for error in errors:
        cause = best_match([error])
        print(f"{'/'.join(map(str, cause.absolute_path)) or '(the document)'}: {cause.message[:500]}", file=sys.stderr)

    # What a JSON schema of one document cannot say.
    names = [method.get("name") for method in document.get("methods", [])]
    for name in sorted({name for name in names if names.count(name) > 1}):
        errors.append(name)
        print(f"two methods are named {name}", file=sys.stderr)
    for method in document.get("methods", []):
        params = [param["name"] for param in method.get("params", []) if "name" in param]
        if len(params) != len(set(params)):
            errors.append(method)
            print(f"{method.get('name')} has two parameters of one name", file=sys.stderr)
    for reference in references(document):
        if reference.startswith("#") and not resolves(document, reference):
            errors.append(reference)
            print(f"nothing is at {reference}", file=sys.stderr)

    print(f"OpenRPC {document.get('openrpc')}, {len(names)} methods, {len(errors)} errors")
    return 1 if errors else 0


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolves(document, reference):
    node = document
    for part in reference.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(node, dict) or part not in node:
            return False
        node = node[part]
    return True


sys.exit(main())
