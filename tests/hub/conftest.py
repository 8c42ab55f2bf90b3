"""A small Hugging Face Hub on 127.0.0.1: the endpoints that huggingface_hub calls to fetch and to publish a model, and
faults to order. Large files lie on another host, as they do on the real one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from huggingface_hub import close_session, constants
from safetensors.numpy import save_file

from talkedit_sdk.manifest import write_manifest

WRITER, READER = "hf_writer", "hf_reader"


@dataclass
class Repository:
    """Commits by hash, oldest first, and what points to them."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: bool = False

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        """Adds a commit that holds `files`, and returns its hash."""
        digest = hashlib.sha1(f"{len(self.commits)} {branch} {sorted(files.items())}".encode()).hexdigest()
        self.commits[digest] = dict(files)
        self.branches[branch] = digest
        return digest

    def resolve(self, revision: str) -> str | None:
        found = self.branches.get(revision) or self.tags.get(revision) or revision
        return found if found in self.commits else None


@dataclass
class Hub:
    """The server's memory.

    Members:
        log: "METHOD path" of every request, in order.
        cut: how many more downloads of large files break off after `cut_after` bytes.
        status: answered to every request, if set. page: an answer that is no JSON, as of a login page of a hotel.
        served: content sent for a large file instead of what it should be, by its hash.
        refused_upload: whether large files are turned away.
    """

    repositories: dict[str, Repository] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    cut: int = 0
    cut_after: int = 0
    status: int | None = None
    page: bytes | None = None
    served: dict[str, bytes] = field(default_factory=dict)
    refused_upload: bool = False
    address: str = ""
    server: ThreadingHTTPServer | None = None

    def add(self, name: str, files: dict[str, bytes], **properties: Any) -> Repository:
        """Creates a repository with one commit."""
        repository = self.repositories[name] = Repository(**properties)
        repository.commit(files)
        return repository

    def downloads(self) -> list[str]:
        """Names of the files that were asked for since the last call."""
        found = [line.rsplit("/", 1)[1] for line in self.log if line.startswith("HEAD ") and "/resolve/" in line]
        self.log.clear()
        return found

    def stop(self) -> None:
        """Takes the Hub off the network."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None
            close_session()


def is_large(path: str) -> bool:
    return path.endswith((".safetensors", ".bin"))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, content: bytes | dict[str, Any] = b"", **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str = "", message: str = "") -> None:
        self.answer(status, {"error": message or code}, X_Error_Code=code, X_Error_Message=message or code)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def handle_request(self) -> None:
        path = urlsplit(self.path).path
        self.hub.log.append(f"{self.command} {path}")
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if self.hub.status is not None:
            self.refuse(self.hub.status)
        elif self.hub.page is not None:
            self.answer(200, self.hub.page)
        elif self.command in ("GET", "HEAD"):
            self.read(parts)
        else:
            self.write(parts, self.body())

    do_GET = do_HEAD = do_POST = do_PUT = handle_request  # noqa: N815 - names that http.server calls

    @property
    def token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def read(self, parts: list[str]) -> None:
        match parts:
            case ["cdn", digest]:
                self.send_blob(digest)
            case ["api", "models", owner, name, *rest]:
                self.tell(f"{owner}/{name}", rest)
            case [owner, name, "resolve", revision, file]:
                self.send_file(f"{owner}/{name}", revision, file)
            case _:
                self.refuse(404)

    def find(self, name: str, revision: str) -> tuple[Repository, str] | None:
        """The repository and the commit, or None when the refusal was sent, in the Hub's own words and codes."""
        repository = self.hub.repositories.get(name)
        if repository is None or (repository.private and self.token not in (READER, WRITER)):
            self.refuse(404 if self.token else 401, "RepoNotFound", "Repository not found")
        elif repository.gated and self.token != WRITER:
            self.refuse(403, "GatedRepo", "Access to this model is restricted")
        elif (commit := repository.resolve(revision)) is None:
            self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        else:
            return repository, commit
        return None

    def tell(self, name: str, rest: list[str]) -> None:
        found = self.find(name, rest[1] if rest[:1] == ["revision"] else "main")
        if found is None:
            return
        repository, commit = found
        if rest == ["refs"]:
            branches, tags = (
                [{"name": n, "ref": f"refs/{kind}/{n}", "targetCommit": c} for n, c in refs.items()]
                for kind, refs in (("heads", repository.branches), ("tags", repository.tags))
            )
            self.answer(200, {"branches": branches, "tags": tags, "converts": []})
            return
        siblings = [
            {"rfilename": path, "size": len(content), "blobId": hashlib.sha1(content).hexdigest()}
            for path, content in repository.commits[commit].items()
        ]
        self.answer(200, {"id": name, "sha": commit, "private": repository.private, "siblings": siblings})

    def send_file(self, name: str, revision: str, file: str) -> None:
        found = self.find(name, revision)
        if found is None:
            return
        repository, commit = found
        content = repository.commits[commit].get(file)
        if content is None:
            self.refuse(404, "EntryNotFound", "Entry not found")
        elif is_large(file):
            digest = hashlib.sha256(content).hexdigest()
            self.hub.blobs[digest] = content
            elsewhere = self.hub.address.replace("127.0.0.1", "localhost")
            self.answer(
                302, X_Repo_Commit=commit, X_Linked_Size=str(len(content)), X_Linked_Etag=f'"{digest}"',
                Location=f"{elsewhere}/cdn/{digest}",
            )  # fmt: skip
        else:
            self.answer(200, content, X_Repo_Commit=commit, ETag=f'"{hashlib.sha1(content).hexdigest()}"')

    def send_blob(self, digest: str) -> None:
        assert not self.token, "the token must not reach another host"
        content = self.hub.served.get(digest, self.hub.blobs[digest])
        wanted = self.headers.get("Range")
        first = 0
        if wanted:
            self.hub.ranges.append(wanted)
            first = int(wanted.removeprefix("bytes=").split("-")[0])
        rest = content[first:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(rest)))
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if self.hub.cut > 0:
            self.hub.cut -= 1
            rest = rest[: max(self.hub.cut_after - first, 0)]
            self.close_connection = True
        self.wfile.write(rest)

    def write(self, parts: list[str], body: bytes) -> None:
        if parts[0] != "lfs" and self.token != WRITER:
            self.refuse(403 if self.token == READER else 401, message="Invalid credentials in Authorization header")
            return
        match parts:
            case ["api", "validate-yaml"]:
                assert json.loads(body)["content"].startswith("---\nlicense: apache-2.0\n")
                self.answer(200, {"errors": [], "warnings": []})
            case ["api", "repos", "create"]:
                self.create(json.loads(body))
            case ["api", "models", owner, name, "preupload", _]:
                wanted = json.loads(body)["files"]
                assert f"{owner}/{name}" in self.hub.repositories
                modes = [
                    {
                        "path": f["path"],
                        "uploadMode": "lfs" if is_large(f["path"]) else "regular",
                        "shouldIgnore": False,
                    }
                    for f in wanted
                ]
                self.answer(200, {"files": modes})
            case [_, _, "info", "lfs", "objects", "batch"]:
                objects = [
                    {"oid": o["oid"], "size": o["size"]}
                    | ({} if o["oid"] in self.hub.blobs else {"actions": {"upload": {"href": self.lfs(o["oid"])}}})
                    for o in json.loads(body)["objects"]
                ]
                self.answer(200, {"transfer": "basic", "objects": objects})
            case ["lfs", _] if self.hub.refused_upload:
                self.refuse(403)
            case ["lfs", digest]:
                assert hashlib.sha256(body).hexdigest() == digest
                self.hub.blobs[digest] = body
                self.answer(200)
            case ["api", "models", owner, name, "branch", branch]:
                branches = self.hub.repositories[f"{owner}/{name}"].branches
                self.answer(409 if branch in branches else 201)
                branches.setdefault(branch, branches["main"])
            case ["api", "models", owner, name, "tag", revision]:
                self.hub.repositories[f"{owner}/{name}"].tags[json.loads(body)["tag"]] = revision
                self.answer(200)
            case ["api", "models", owner, name, "commit", branch]:
                self.commit(f"{owner}/{name}", branch, [json.loads(line) for line in body.splitlines()])
            case _:
                self.refuse(404)

    def lfs(self, digest: str) -> str:
        return f"{self.hub.address}/lfs/{digest}"

    def create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted['organization']}/{wanted['name']}"
        exists = name in self.hub.repositories
        if not exists:
            self.hub.add(name, {".gitattributes": b""}, private=wanted.get("visibility") == "private")
        self.answer(409 if exists else 200, {"url": f"{self.hub.address}/{name}"})

    def commit(self, name: str, branch: str, lines: list[dict[str, Any]]) -> None:
        repository = self.hub.repositories[name]
        files = dict(repository.commits[repository.branches[branch]])
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.blobs[value["oid"]]
        commit = repository.commit(files, branch)
        self.answer(200, {"commitUrl": f"{self.hub.address}/{name}/commit/{commit}", "commitOid": commit})


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A Hub that nobody else knows, with an empty cache and no token."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("HubHandler", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.server, hub.address = server, f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
    settings |= {"NO_PROXY": "*", "no_proxy": "*"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    # huggingface_hub reads its environment once, when it is imported.
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "hf" / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    close_session()
    yield hub
    hub.stop()
    thread.join()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder of small weights with its manifest."""
    folder = tmp_path / "made"
    folder.mkdir()
    save_file({"bias": np.arange(50_000, dtype=np.float32)}, folder / "face.safetensors")
    (folder / "face.json").write_text('{"people": 7, "blendshapes": ["jawOpen"], "measured": {"error": 0.01}}')
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# My face model\n\nMade with love.\n")
    write_manifest(folder)
    return folder


@pytest.fixture
def files(weights: Path) -> dict[str, bytes]:
    """The contents of `weights` by name, as a commit wants them."""
    return {path.name: path.read_bytes() for path in weights.iterdir()}
