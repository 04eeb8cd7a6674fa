"""The tasks as an assistant finds them: a real client of the Model Context Protocol, over loopback."""

import base64
import io
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import anyio
import numpy as np
import pytest
import skimage.data
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from PIL import Image

from demos import DEMOS
from gm_core.checkpoints import CHECKPOINTS
from gm_core.tasks.srgan import srgan
from tests.hubs import free_port
from tests.served import ROOT, serving
from tests.test_limits import SENTENCE
from tests.test_safety import ask, png

SMALL = Image.fromarray(skimage.data.chelsea()).crop((120, 60, 168, 100))
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "srgan", "arguments": {}}}
ASSISTANT = {"Accept": "application/json, text/event-stream"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tools")


@pytest.fixture(scope="module")
def url(folder):
    """Where strangers come, so that calls are counted."""
    limits = {"GM_PUBLIC": "1", "GM_LIMIT_JOBS": "4/hour", "GM_LIMIT_UPLOADS": "1/hour"}
    with serving(folder, "app.py", GM_MCP="1", **limits) as url:
        yield url


@asynccontextmanager
async def assistant(url):
    async with streamable_http_client(f"{url}gradio_api/mcp/") as (reading, writing, _), \
            ClientSession(reading, writing) as session:
        await session.initialize()
        yield session


def alone(work):
    """What the coroutine returns, run in a thread of its own: where browser tests ran before, this one has a loop already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(anyio.run, work).result()


def asked(url, name, **arguments):
    async def ask_it():
        async with assistant(url) as session:
            return await session.call_tool(name, arguments)

    return alone(ask_it)


def address(image):
    return f"data:image/png;base64,{base64.b64encode(png(image)).decode()}"


def test_there_is_one_described_tool_for_each_task(url):
    async def tools():
        async with assistant(url) as session:
            return (await session.list_tools()).tools

    found = {tool.name: tool for tool in alone(tools)}
    tasks = {task for demo in DEMOS for task in demo.tasks or (demo.name,)}
    assert set(found) == tasks & {record.task for record in CHECKPOINTS} and len(found) >= 5
    offered = json.loads(ask(url, "GET", "/gradio_api/info").body)["named_endpoints"]
    for name, tool in found.items():
        endpoint = offered[f"/{name}"]
        assert tool.description == endpoint["description"] and re.match(r"[A-Z].{20,}\.$", tool.description)
        assert set(tool.inputSchema["properties"]) == {one["parameter_name"] for one in endpoint["parameters"]}
        for parameter, schema in tool.inputSchema["properties"].items():
            assert re.match(r"[A-Z0-9].{9,}\.$", schema.get("description", "")), (name, parameter)
    picture = found["srgan"].inputSchema["properties"]["image"]
    assert picture["type"] == "string" and "base64" in picture["description"] and "http" not in json.dumps(picture)


def test_a_tool_does_what_its_task_does(url):
    result = asked(url, "srgan", image=address(SMALL))
    assert not result.isError, result.content
    assert result.content[0].type == "image" and result.content[0].mimeType == "image/png"
    made = Image.open(io.BytesIO(base64.b64decode(result.content[0].data)))
    assert np.array_equal(np.asarray(made.convert("RGB")), np.asarray(srgan(SMALL)))


def test_what_is_refused_is_a_sentence_for_the_assistant(url):
    wrong = asked(url, "srgan", image="data:image/png;base64," + base64.b64encode(b"just some words").decode())
    assert wrong.isError and "not a picture" in wrong.content[0].text
    named = asked(url, "srgan", image=f"{url}favicon.ico")
    assert named.isError and "Please send the file itself" in named.content[0].text
    unknown = asked(url, "quiz_start")
    assert unknown.isError and "Unknown tool" in unknown.content[0].text


def test_files_of_the_server_cannot_be_named(url):
    for image in ({"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, [{"path": str(ROOT / "app.py")}]):
        call = {**CALL, "params": {"name": "srgan", "arguments": {"image": image}}}
        reply = ask(url, "POST", "/gradio_api/mcp", call, ASSISTANT, source="127.0.0.9")
        assert reply.status == 400 and "did not arrive" in reply.text


def test_a_call_counts_as_a_job_and_once(url):
    """Every visitor's calls go on through the same loopback, whose uploads and jobs are nobody's."""
    job = {**CALL, "params": {"name": "srgan", "arguments": {"image": address(SMALL), "checkpoint": "srresnet-x4"}}}
    replies = [ask(url, "POST", "/gradio_api/mcp", {**job, "id": i}, ASSISTANT, source="127.0.0.7") for i in range(5)]
    for reply in replies[:4]:
        assert reply.status == 200 and '"isError":false' in reply.text and "image/png" in reply.text, reply.text[:300]
    told = json.loads(replies[4].body)
    assert told["id"] == 4 and told["result"]["isError"] and int(replies[4].headers["retry-after"]) > 0
    assert SENTENCE.fullmatch(told["result"]["content"][0]["text"])
    listed = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert ask(url, "POST", "/gradio_api/mcp", listed, ASSISTANT, source="127.0.0.7").status == 200, "a question is no job"
    stolen = {**ASSISTANT, "x-gallery-inside": "0" * 32}
    assert json.loads(ask(url, "POST", "/gradio_api/mcp", job, stolen, source="127.0.0.7").body)["result"]["isError"]


def test_what_is_sent_has_its_limits(url):
    large = {**CALL, "params": {"name": "srgan", "arguments": {"image": "data:image/png;base64," + "A" * 5 * 2**20}}}
    assert ask(url, "POST", "/gradio_api/mcp", large, ASSISTANT, source="127.0.0.8").status == 413
    for body in (b"", b"[]", b"{", b"\xff", b'{"method": "tools/call"}', b'{"method": "tools/call", "id": 1, "params": []}'):
        reply = ask(url, "POST", "/gradio_api/mcp", body, {**ASSISTANT, "Content-Type": "application/json"}, source="127.0.0.8")
        assert 400 <= reply.status < 500, (body, reply.text)
    assert ask(url, "GET", "/gradio_api/mcp").status == 405
    for path in ("/gradio_api/mcp/sse", "/gradio_api/mcp/messages/", "/gradio_api/mcp/http"):
        assert ask(url, "GET", path).status == ask(url, "POST", path, CALL, ASSISTANT).status == 404


def test_nothing_of_it_is_there_unless_it_is_asked_for(gallery_url):
    for path in ("/gradio_api/mcp", "/gradio_api/mcp/", "/gradio_api/mcp/sse", "/gradio_api/mcp/schema"):
        assert ask(gallery_url, "POST", path, CALL, ASSISTANT).status == ask(gallery_url, "GET", path).status == 404
    assert not json.loads(ask(gallery_url, "GET", "/config").body)["mcp_server"]


def test_without_the_library_it_says_what_to_install(tmp_path):
    """In a Python whose packages are all but this one."""
    for package in map(str, sys.path):
        if package.endswith("site-packages"):
            break
    hidden = tmp_path / "packages"
    hidden.mkdir()
    for entry in sorted(os.scandir(package), key=lambda entry: entry.name):
        if not entry.name.startswith("mcp") and not entry.name.endswith(".pth"):
            (hidden / entry.name).symlink_to(entry.path)
    told = {**os.environ, "GM_MCP": "1", "PYTHONPATH": str(hidden), "HF_HUB_OFFLINE": "1"}
    process = subprocess.run([sys.executable, "-S", "app.py", "--port", str(free_port())], cwd=ROOT, env=told,
                             capture_output=True, text=True, check=False)
    assert process.returncode == 1 and "Traceback" not in process.stderr, process.stderr
    assert 'Install it: pip install "mcp==' in process.stderr
