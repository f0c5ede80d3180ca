"""As much of a Kubernetes API server as `kubectl diff` of unchanged config maps asks for: discovery and GET.

It holds one config map for each client, parsed from the manifests that kubectl is given, and answers from memory.
Run as `python -m bench.peers.api_server MANIFESTS`; prints its URL when it listens.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

Json = dict[str, Any]
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def _live(manifest: Json, version: int) -> Json:
    """The object as an earlier `kubectl apply` of the same manifest left it."""
    applied = json.dumps(manifest, separators=(",", ":"), sort_keys=True) + "\n"
    metadata = {
        **manifest["metadata"],
        "annotations": {**manifest["metadata"]["annotations"], LAST_APPLIED: applied},
        "uid": f"00000000-0000-0000-0000-{version:012d}",
        "resourceVersion": str(version + 1),
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    return {**manifest, "metadata": metadata}


class Server:
    """Handlers of a few paths, answered from memory."""

    def __init__(self, manifests: list[Json]) -> None:
        self._objects = {
            manifest["metadata"]["name"]: json.dumps(_live(manifest, version)).encode()
            for version, manifest in enumerate(manifests)
        }

    def routes(self) -> list[web.RouteDef]:
        """Every path that kubectl asks for; anything else is 404, as on a server that lacks it."""
        one = "/api/v1/namespaces/{namespace}/configmaps/{name}"
        return [
            web.get("/api", self.versions),
            web.get("/apis", self.groups),
            web.get("/api/v1", self.resources),
            web.get(one, self.item),
        ]

    async def versions(self, _: web.Request) -> web.Response:
        return web.json_response({"kind": "APIVersions", "versions": ["v1"]})

    async def groups(self, _: web.Request) -> web.Response:
        return web.json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": []})

    async def resources(self, _: web.Request) -> web.Response:
        verbs = ["create", "get", "list", "patch", "update"]
        resource = {"name": "configmaps", "singularName": "configmap", "namespaced": True, "kind": "ConfigMap"}
        body = {"kind": "APIResourceList", "groupVersion": "v1", "resources": [{**resource, "verbs": verbs}]}
        return web.json_response(body)

    async def item(self, request: web.Request) -> web.Response:
        found = self._objects.get(request.match_info["name"])
        if found is None:
            return web.json_response({"kind": "Status", "status": "Failure", "code": 404}, status=404)
        return web.Response(body=found, content_type="application/json")


def _parsed(manifests: Path) -> list[Json]:
    return [yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader) for path in sorted(manifests.glob("*.yaml"))]


async def serve(manifests: list[Json]) -> None:
    """Listens on a free port until it is ended."""
    app = web.Application()
    app.add_routes(Server(manifests).routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(_parsed(Path(sys.argv[1]))))
