"""The tasks as tools for assistants, by the Model Context Protocol: `GM_MCP=1` opens them at `/gradio_api/mcp`.

Gradio's own server makes a tool of every endpoint and lets pictures be named by addresses, which it fetches. Ours has one tool
for each task and takes pictures as they are, inside the call.
"""

import importlib.util
import os
from collections.abc import Iterable, Mapping
from typing import Any

import gradio as gr
from gradio.mcp import GradioMCPServer
from gradio_client import Client
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from demos.guard import INSIDE, TOOLS
from gm_core.errors import GMError

PICTURE = "As a data address: data:image/png;base64, and the file itself in base64; 3 MB at most."


def wanted() -> bool:
    """Whether `GM_MCP` says so. Raises GMError where it does and the library is missing."""
    if os.environ.get("GM_MCP", "").strip().lower() in ("", "0", "no", "false", "off"):
        return False
    if importlib.util.find_spec("mcp") is None:
        raise GMError('GM_MCP is 1, but the package for it is missing. Install it: pip install "mcp==1.30.0".')
    return True


def pictures_of(page: gr.Blocks, tasks: Iterable[str]) -> dict[str, list[str]]:
    """Endpoint of a task -> its parameters that are pictures; of the tasks that the page offers."""
    offered = page.get_api_info()["named_endpoints"]
    return {task: [one["parameter_name"] for one in offered[f"/{task}"]["parameters"] if one["component"] == "Image"]
            for task in tasks if f"/{task}" in offered}


class Tools(GradioMCPServer):
    """An ASGI application: one tool for each task. pictures: see `pictures_of`. password: of `Guard`, for calls from inside."""

    _file_data_tool_description = ""

    def __init__(self, page: gr.Blocks, pictures: Mapping[str, list[str]], password: str) -> None:
        self._pictures = pictures
        self._password = password
        super().__init__(page)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.handle_streamable_http(scope, receive, send)

    def routes(self) -> list[Route]:
        return [Route(path, self) for path in (TOOLS, f"{TOOLS}/")]

    def get_tool_to_endpoint(self) -> dict[str, str]:
        """On a Space a tool's name begins with that of the Space, as everywhere on the Hub."""
        return {f"{self.tool_prefix}{task}": f"/{task}" for task in self._pictures}

    def pictures(self) -> dict[str, list[str]]:
        """Name of a tool -> its parameters that are pictures."""
        return {tool: self._pictures[endpoint.removeprefix("/")] for tool, endpoint in self.tool_to_endpoint.items()}

    def get_input_schema(self, tool_name: str, parameters: dict[str, str] | None = None) -> tuple[dict[str, Any], Any]:
        schema, places = super().get_input_schema(tool_name, parameters)
        for name in self.pictures()[tool_name]:
            described = (parameters or {}).get(name, "")
            schema["properties"][name] = {"type": "string", "description": f"{described} {PICTURE}".strip()}
        return schema, places

    def convert_strings_to_filedata(self, value: Any, filedata_positions: Any) -> Any:  # noqa: ANN401 - gradio's own
        """As Gradio's, which would keep the files for ever: these are forgotten as uploads are."""
        found = super().convert_strings_to_filedata(value, filedata_positions)
        self.blocks.upload_file_set.update(one["path"] for one in found.values() if isinstance(one, dict) and "path" in one)
        return found

    def _get_or_create_client(self) -> Client:
        """Whoever called has been counted at the door; this one only carries the call on."""
        if self._client_instance is None:
            self._client_instance = Client(str(self.blocks.local_url), download_files=False, verbose=False,
                                           analytics_enabled=False, _skip_components=False,
                                           headers={"x-gradio-user": "mcp", INSIDE: self._password})
        return self._client_instance
