"""The endpoints as programs use them, and what they refuse."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from talkedit_sdk.video.photo import read_photo
from talkedit_sdk.video.probe import probe

gradio_client = pytest.importorskip("gradio_client")


@pytest.fixture(scope="module")
def client(app, tmp_path_factory):
    return gradio_client.Client(app, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


def send(path: Path):
    return gradio_client.handle_file(str(path))


def test_only_the_endpoints_are_public_and_all_are_documented(client):
    told = client.view_api(return_format="dict", print_info=False)
    assert set(told["named_endpoints"]) == {"/edit", "/speak", "/preview", "/faces"}
    assert told["unnamed_endpoints"] == {}
    edit = told["named_endpoints"]["/edit"]
    types = {p["parameter_name"]: p["python_type"]["type"] for p in edit["parameters"]}
    assert types["video"] == "filepath"
    assert types["emotion"] == "str"
    assert types["intensity"] == types["mouth_weight"] == types["detail"] == "float"
    assert [r["python_type"]["type"] for r in edit["returns"]] == ["filepath", "dict(str, Any)"]


def test_edit(client, talking):
    path, report = client.predict(
        send(talking), "happy:0.7,surprised:0.3", 1.0, 0.3, begin=0.2, end=0.8, api_name="/edit"
    )
    info = probe(path)
    assert (info.width, info.height, info.frame_count) == (224, 224, 25)
    assert Path(path).name == "talk.edited.mp4"
    assert report["frames"] == 25
    assert 10 < report["edited_frames"] < 20
    assert {s["reason"] for s in report["skipped"]} == {"intensity 0"}


def test_edit_a_photo_with_everybody(client, two):
    path, report = client.predict(send(two), "sad", face="all", api_name="/edit")
    assert report["edited_faces"] == [0, 1]
    before, after = read_photo(two).astype(int), read_photo(path).astype(int)
    changed = np.abs(before - after).max(2) > 0
    assert changed[:, :480].any()
    assert changed[:, 480:].any()


def test_speak(client, two, talking):
    path, report = client.predict(send(two), send(talking), emotion="happy", intensity=0.8, api_name="/speak")
    info = probe(path)
    assert Path(path).name == "two.talk.mp4"
    assert info.audio_codecs
    assert info.duration == pytest.approx(1, abs=0.1)
    assert report["frames"] == report["edited_frames"] == info.frame_count


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "write a sentence"),
        ({"text": "a" * 2000}, "2000 characters"),
        ({"text": "Hello", "emotion": "hapy"}, "hapy"),
        ({"head": 9}, "head"),
        ({"blinks": 99}, "blink"),
    ],
)
def test_mistakes_in_speaking_are_told(client, two, talking, arguments, message):
    sound = {} if "text" in arguments or not arguments else {"audio": send(talking)}
    with pytest.raises(gradio_client.exceptions.AppError, match=message):
        client.predict(face=send(two), **sound, **arguments, api_name="/speak")


def test_faces(client, two):
    faces = client.predict(send(two), api_name="/faces")
    assert [face["index"] for face in faces] == [0, 1]
    assert faces[0]["box"]["width"] > 1.5 * faces[1]["box"]["width"]


def test_preview(client, talking):
    for options in ({"emotion": "angry", "second": 0.5}, {}):
        with Image.open(client.predict(send(talking), **options, api_name="/preview")) as image:
            assert (image.format, image.size) == ("JPEG", (224, 224))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"emotion": "hapy"}, "did you mean 'happy'"),
        ({"intensity": 3}, "outside 0 to 1.5"),
        ({"face": "4"}, "no face 4"),
        ({"begin": 5, "end": 4}, "would end before it begins"),
        ({"curve": [[0, 2], [1, 1]]}, "list of .place, share."),
        ({"curve": "up"}, "list of .place, share."),
    ],
)
def test_mistakes_are_told(client, talking, arguments, message):
    with pytest.raises(gradio_client.exceptions.AppError, match=message):
        client.predict(video=send(talking), **arguments, api_name="/edit")


@pytest.mark.parametrize("endpoint", ["/edit", "/preview", "/faces"])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.mp4", b"No film.\n" * 99, r"^text\.mp4 is no video or photo that can be read"),
        ("photo.jpg", b"\xff\xd8\xff\xe0 torn", r"^photo\.jpg is no photo that can be read"),
        ("playlist.mp4", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", r"^playlist\.mp4 is no video"),
        ("big.mp4", bytes(20 * 2**20 + 1), "size|MB"),
    ],
)
def test_files_that_are_no_video(client, tmp_path, endpoint, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Exception, match=message):
        client.predict(send(tmp_path / name), api_name=endpoint)


def test_nobody_in_it(client, wall):
    assert client.predict(send(wall), api_name="/faces") == []
    with pytest.raises(gradio_client.exceptions.AppError, match="No face was found"):
        client.predict(send(wall), api_name="/edit")


@pytest.mark.parametrize("meta", [{}, {"meta": {"_type": "gradio.FileData"}}])
@pytest.mark.parametrize("path", ["examples/talk.mp4", "/etc/passwd"])
def test_files_of_the_server_cannot_be_named(app, path, meta):
    """Whatever a request says, only what was uploaded is read: here without the client, which would upload it."""
    body = json.dumps({"data": [{"path": str(Path(path).resolve()), **meta}]}).encode()
    request = urllib.request.Request(
        f"{app}gradio_api/call/faces", body, {"Content-Type": "application/json"}, method="POST"
    )
    event = json.load(urllib.request.urlopen(request))["event_id"]
    told = urllib.request.urlopen(f"{app}gradio_api/call/faces/{event}").read().decode()
    assert "event: error" in told
    assert "index" not in told


def test_edit_is_a_tool_of_the_mcp_server(app):
    pytest.importorskip("mcp", reason="the MCP server needs the extra: pip install talkedit[mcp]")
    tools = {tool["name"]: tool for tool in json.load(urllib.request.urlopen(f"{app}gradio_api/mcp/schema"))}
    assert {"edit", "speak", "preview", "faces"} <= set(tools)
    properties = tools["edit"]["inputSchema"]["properties"]
    assert properties["video"]["description"].startswith("The video")
    assert "happy:0.7,sad:0.3" in properties["emotion"]["description"]
    assert tools["edit"]["inputSchema"]["required"] == ["video"]
