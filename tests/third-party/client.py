"""Runs a turn over a gateway's WebSocket with libraries that know nothing of it: client.py WS-URL TOKEN

`websockets` does the frames, `jsonrpcclient` makes the requests and reads the responses. Exits with 0 when everything was as
JSON-RPC 2.0 says, the turn's notifications came in order, and every result fits the schema that rpc.discover gives for it.
"""

import asyncio
import json
import sys

import jsonschema
import websockets
from jsonrpcclient import Error, Ok, notification_json, parse, request

PATIENCE = 30


class Client:
    def __init__(self, socket):
        self.socket = socket
        self.notifications = []
        self.methods = {}
        self.validated = set()

    async def discover(self):
        document = await self.call("rpc.discover")
        self.methods = {method["name"]: method for method in document["methods"]}

    async def receive(self):
        message = json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE))
        for one in message if isinstance(message, list) else [message]:
            assert one["jsonrpc"] == "2.0", one
        return message

    async def response(self):
        """The next response; notifications on the way are kept."""
        while True:
            message = await self.receive()
            if isinstance(message, list) or "id" in message:
                return message
            self.notifications.append(message)

    async def send(self, message):
        await self.socket.send(json.dumps(message))
        return parse(await self.response())

    async def call(self, method, params=None):
        answer = await self.send(request(method, params))
        assert isinstance(answer, Ok), f"{method}: {answer}"
        if self.methods:
            self.validate(method, params or {}, answer.result)
        return answer.result

    def validate(self, method, params, result):
        """The call and its result against their description."""
        described = self.methods[method]
        known = {param["name"]: param["schema"] for param in described["params"]}
        for name, value in params.items():
            jsonschema.validate(value, known[name])
        schema = described["result"]["schema"]
        if "$ref" not in schema:
            try:
                jsonschema.validate(result, schema)
            except jsonschema.ValidationError as error:
                raise AssertionError(f"{method}: {error.json_path}: {error.message[:500]}") from None
        self.validated.add(method)


async def calls(client):
    health = await client.call("health")
    assert health["ok"] is True, health

    await client.discover()
    assert "agent.wait" in client.methods, client.methods.keys()

    # Ids come back as they were sent, whatever their type.
    for identifier in (7, "seven", 2**53 - 1):
        answer = await client.send(request("health", id=identifier))
        assert isinstance(answer, Ok) and answer.id == identifier, answer

    unknown = await client.send(request("no.such.method"))
    assert isinstance(unknown, Error) and unknown.code == -32601, unknown
    wrong = await client.send(request("agent", {"message": 5}))
    assert isinstance(wrong, Error) and wrong.code == -32602, wrong

    # A notification gets no answer: the next one belongs to the call after it.
    await client.socket.send(notification_json("health"))
    answer = await client.send(request("health", id="after"))
    assert answer.id == "after", answer

    batch = [request("health", id="a"), request("no.such.method", id="b"), json.loads(notification_json("health"))]
    await client.socket.send(json.dumps(batch))
    answers = {answer.id: answer for answer in parse(await client.response())}
    assert set(answers) == {"a", "b"}, answers
    assert isinstance(answers["a"], Ok) and isinstance(answers["b"], Error), answers

    await client.socket.send("{")
    broken = parse(await client.response())
    assert isinstance(broken, Error) and broken.code == -32700 and broken.id is None, broken


async def turn(client):
    params = {"message": "count the files", "sessionKey": "main", "idempotencyKey": "client-run-1", "trajectory": True}
    accepted = await client.call("agent", params)
    assert accepted["status"] == "accepted" and accepted["runId"] == "client-run-1", accepted
    outcome = await client.call("agent.wait", {"runId": "client-run-1", "timeoutMs": PATIENCE * 1000})
    assert outcome["status"] == "ok", outcome
    assert outcome["result"]["payloads"][0]["text"] == "One file.", outcome

    def ended():
        return any(note["method"] == "chat" and note["params"].get("state") == "final" for note in client.notifications)

    while not ended():
        client.notifications.append(await client.receive())
    mine = [note for note in client.notifications if note.get("params", {}).get("runId") == "client-run-1"]
    assert all("id" not in note for note in mine), mine
    agent = [note["params"] for note in mine if note["method"] == "agent"]
    assert (agent[0]["stream"], agent[0]["data"]["phase"]) == ("lifecycle", "start"), agent[0]
    tools = [(one["data"]["phase"], one["data"]["name"]) for one in agent if one["stream"] == "tool"]
    assert tools == [("start", "ls"), ("result", "ls")], tools
    numbers = [one["seq"] for one in agent]
    assert numbers == sorted(numbers), numbers
    chat = [note["params"] for note in mine if note["method"] == "chat"]
    assert "".join(one.get("deltaText", "") for one in chat) == "One file.", chat
    assert chat[-1]["message"]["content"][0]["text"] == "One file.", chat[-1]

    again = await client.call("agent", params)
    assert again["status"] == "ok" and again["runId"] == "client-run-1", again


async def commands(client):
    """Artifacts, the sandbox, and approvals."""
    listed = await client.call("artifacts.list", {"sessionKey": "main"})
    artifact = {"artifactId": listed["artifacts"][0]["id"], "sessionKey": "main"}
    await client.call("artifacts.get", artifact)
    await client.call("artifacts.download", artifact)
    await client.call("sandbox.explain")
    await client.call("sandbox.probe", {"level": "none", "backend": "plain"})
    asked = {"id": "ask-1", "command": "make test", "commandArgv": ["make", "test"], "cwd": "/", "twoPhase": True}
    await client.call("exec.approval.request", asked)
    assert len(await client.call("exec.approval.list")) == 1
    await client.call("exec.approval.get", {"id": "ask-1"})
    await client.call("exec.approval.resolve", {"id": "ask-1", "decision": "deny"})
    waited = await client.call("exec.approval.waitDecision", {"id": "ask-1", "timeoutMs": 1000})
    assert waited["decision"] == "deny", waited
    await client.call("exec.approval.grants.list")
    document = await client.call("exec.approvals.get")
    await client.call("exec.approvals.set", {"file": {"version": 1, "agents": {}}, "baseHash": document["hash"]})


async def virtual_files(client):
    """The scratch files of the agent."""
    def tree(**params):
        return {"namespace": "scratch"} | params

    await client.call("vfs.write", tree(path="notes/a.md", data="hello"))
    await client.call("vfs.mkdir", tree(path="empty"))
    for method in ("vfs.list", "vfs.stat"):
        await client.call(method, tree(path="notes"))
    read = await client.call("vfs.read", tree(path="notes/a.md"))
    assert read["data"] == "hello", read
    await client.call("vfs.snapshot", tree(name="one"))
    await client.call("vfs.snapshots", tree())
    await client.call("vfs.rename", tree(**{"from": "notes/a.md", "to": "notes/b.md"}))
    await client.call("vfs.diff", tree(**{"from": "one", "to": "now"}))
    await client.call("vfs.history", tree(path="notes/b.md"))
    await client.call("vfs.remove", tree(path="notes", recursive=True))
    await client.call("vfs.restore", tree(path="", at="one"))
    await client.call("vfs.usage", tree())


async def everything_else(client):
    """What is left of the methods, on the session that the turn has made."""
    for method in ("health", "status", "models.list", "agents.list", "config.get", "config.schema", "logs.tail", "sessions.list"):
        await client.call(method)
    history = await client.call("chat.history", {"sessionKey": "main"})
    assert [message["role"] for message in history["messages"]] == ["user", "assistant", "toolResult", "assistant"], history

    key = {"key": "main"}
    await client.call("sessions.subscribe")
    await client.call("sessions.messages.subscribe", key)
    for method in ("sessions.describe", "sessions.timeline", "sessions.stateAt"):
        await client.call(method, key)
    await client.call("sessions.patch", key | {"label": "counted"})
    await client.call("sessions.messages.unsubscribe", key)
    await client.call("sessions.unsubscribe")

    run = {"sessionKey": "main", "message": "again", "idempotencyKey": "client-run-2"}
    started = await client.call("chat.send", run)
    assert started["runId"] == "client-run-2", started
    await client.call("chat.abort", {"sessionKey": "main"})
    ended = await client.call("agent.wait", {"runId": "client-run-2", "timeoutMs": PATIENCE * 1000})
    assert ended["status"] in ("ok", "aborted"), ended

    configuration = await client.call("config.get")
    patch = {"raw": json.dumps({"logging": {"level": "debug"}}), "baseHash": configuration["hash"]}
    await client.call("config.patch", patch)
    configuration = await client.call("config.get")
    assert "debug" in configuration["raw"], configuration
    await client.call("config.set", {"raw": configuration["raw"], "baseHash": configuration["hash"]})

    await commands(client)
    await virtual_files(client)
    await client.call("sessions.reset", key)
    await client.call("sessions.delete", key)
    # A standing grant comes from a question of a run only.
    left = set(client.methods) - client.validated - {"rpc.discover", "exec.approval.grants.revoke"}
    assert not left, f"no call of {left}"


async def main():
    url, token = sys.argv[1:]
    try:
        async with websockets.connect(url):
            raise AssertionError("the gateway lets everybody in")
    except websockets.InvalidStatus as refused:
        assert refused.response.status_code == 401, refused
    async with websockets.connect(url, additional_headers={"Authorization": f"Bearer {token}"}) as socket:
        client = Client(socket)
        await calls(client)
        await turn(client)
        await everything_else(client)
        print(f"{len(client.validated)} methods, {len(client.notifications)} notifications")
    # A browser cannot set headers; the token comes as a subprotocol.
    async with websockets.connect(url, subprotocols=["openclaw", f"openclaw.bearer.{token}"]) as socket:
        await Client(socket).call("health")


asyncio.run(main())
