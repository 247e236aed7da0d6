"""A stand-in for the Docker Engine API: containers that exist only as records.

ministack starts ECS tasks through the Docker API. This server answers that API without running anything; the
image's tag says how its containers behave:

    slow-N      pulling the image takes N seconds
    nopull      the image cannot be pulled (the manifest is unknown)
    crash-N     the container exits with code 1, N seconds after its start
    job-N       the container exits with code 0, N seconds after its start
    other tags  the container runs until it is stopped

Words combine (`slow-1-crash-0.3`) and may stand anywhere in the tag (`2.1.0-crash-0.3`).

A container with a command of its own is a job: it ends as the words of the command say (`migrate crash-0.3`), after N
seconds where it is `sleep N`, else as its image does, else with code 0 after half a second.

Tests reach into it over three more endpoints:

    POST /control/exit?container=ID|NAME&code=1    one container ends now (ID may be ECS's 12-digit runtimeId)
    POST /control/exit?image=TEXT&code=1           every running container whose image contains TEXT ends now
    GET  /control/exited                           the ids of the containers that have ended

Digests of images in Amazon ECR are asked of the ECR emulator ($DRIFTLESS_EMULATOR_ECR), so that the digest that a
task runs is the digest that ECR shows for the tag. Any other image gets a digest made from its name.

    python docker_engine.py PORT
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ledger import INTERNAL_USER_AGENT

JOB_SECONDS = 0.5
NEVER = "0001-01-01T00:00:00Z"
ECR_IMAGE = re.compile(r"^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/([^:@]+)")


@dataclass(frozen=True)
class Behaviour:
    """What the tag of an image asks for."""

    pullable: bool = True
    pull_seconds: float = 0.0
    lifetime: float | None = None
    exit_code: int = 0

    @classmethod
    def of_tag(cls, tag: str) -> "Behaviour":
        crash, job = _seconds(tag, "crash"), _seconds(tag, "job")
        return cls(
            pullable="nopull" not in tag,
            pull_seconds=_seconds(tag, "slow") or 0.0,
            lifetime=job if crash is None else crash,
            exit_code=0 if crash is None else 1,
        )


    def of_command(self, command: list[str]) -> "Behaviour":
        """What becomes of it with a command of its own."""
        text = " ".join(command)
        said = Behaviour.of_tag(text)
        if said.lifetime is not None:
            return replace(self, lifetime=said.lifetime, exit_code=said.exit_code)
        if self.lifetime is not None:
            return self
        sleep = re.fullmatch(r"sleep (\d+)", text)
        return replace(self, lifetime=float(sleep.group(1)) if sleep else JOB_SECONDS)


def _seconds(tag: str, word: str) -> float | None:
    """The number behind `word` in a tag: 0.3 for `crash-0.3`, 0 for `crash`, None where the word is absent."""
    match = re.search(rf"\b{word}(?:-(\d+(?:\.\d+)?))?", tag)
    return float(match.group(1) or 0) if match else None


@dataclass
class Container:
    id: str
    name: str
    config: dict[str, Any]
    address: str
    behaviour: Behaviour
    started: float | None = None
    exit_code: int | None = None

    @property
    def image(self) -> str:
        return str(self.config.get("Image", ""))

    @property
    def status(self) -> str:
        if self.started is None:
            return "created"
        lifetime = self.behaviour.lifetime
        if self.exit_code is None and lifetime is not None and time.monotonic() - self.started >= lifetime:
            self.exit_code = self.behaviour.exit_code
        return "running" if self.exit_code is None else "exited"

    def stop(self, code: int) -> None:
        if self.status != "exited":
            self.exit_code = code

    def summary(self) -> dict[str, Any]:
        return {
            "Id": self.id,
            "Names": ["/" + self.name],
            "Image": self.image,
            "Labels": self.config.get("Labels") or {},
            "State": self.status,
            "Status": self.status,
        }

    def inspection(self) -> dict[str, Any]:
        status = self.status
        return {
            "Id": self.id,
            "Name": "/" + self.name,
            "Created": NEVER,
            "Image": self.image,
            "State": {
                "Status": status,
                "Running": status == "running",
                "Paused": False,
                "Restarting": False,
                "OOMKilled": False,
                "Dead": False,
                "Pid": 1,
                "ExitCode": self.exit_code or 0,
                "Error": "",
                "StartedAt": NEVER,
                "FinishedAt": NEVER,
            },
            "Config": {
                "Image": self.image,
                "Labels": self.config.get("Labels") or {},
                "Env": self.config.get("Env"),
            },
            "HostConfig": {},
            "NetworkSettings": {"Networks": {"bridge": {"IPAddress": self.address}}, "Ports": {}},
            "Mounts": [],
        }


@dataclass
class Engine:
    """All containers, and which tag every digest was made for."""

    containers: dict[str, Container] = field(default_factory=dict)
    tag_of_digest: dict[str, str] = field(default_factory=dict)
    serial: Any = field(default_factory=lambda: itertools.count(1))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def tag(self, image: str) -> str:
        """The tag of `registry/name:tag`, or the tag that `registry/name@sha256:...` was resolved from."""
        name, _, digest = image.partition("@")
        last = name.rsplit("/", 1)[-1]
        if ":" in last:
            return last.split(":", 1)[1]
        return self.tag_of_digest.get(digest, "latest")

    def behaviour(self, image: str) -> Behaviour:
        return Behaviour.of_tag(self.tag(image))

    def digest(self, image: str) -> str:
        if "@" in image:
            return image.split("@", 1)[1]
        digest = _ecr_digest(image, self.tag(image)) or "sha256:" + hashlib.sha256(image.encode()).hexdigest()
        self.tag_of_digest[digest] = self.tag(image)
        return digest

    def create(self, name: str, config: dict[str, Any]) -> Container:
        with self.lock:
            number = next(self.serial)
            identity = hashlib.sha256(f"{name}/{number}/{time.time_ns()}".encode()).hexdigest()
            address = f"10.0.{number // 250 % 250 + 1}.{number % 250 + 1}"
            behaviour = self.behaviour(str(config.get("Image", "")))
            if config.get("Cmd"):
                behaviour = behaviour.of_command(config["Cmd"])
            container = Container(identity, name or identity[:12], config, address, behaviour)
            self.containers[identity] = container
        return container

    def find(self, reference: str) -> Container | None:
        if not reference:
            return None
        for container in list(self.containers.values()):
            if container.id.startswith(reference) or container.name == reference:
                return container
        return None


def _ecr_digest(image: str, tag: str) -> str | None:
    """The digest that the ECR emulator shows for a tag; None for another registry or an image it does not have."""
    match, endpoint = ECR_IMAGE.match(image), os.environ.get("DRIFTLESS_EMULATOR_ECR")
    if not match or not endpoint:
        return None
    account, region, repository = match.groups()
    body = {"registryId": account, "repositoryName": repository, "imageIds": [{"imageTag": tag}]}
    request = urllib.request.Request(
        endpoint,
        data=json.dumps(body).encode(),
        headers={
            "Content-Type": "application/x-amz-json-1.1",
            "User-Agent": INTERNAL_USER_AGENT,
            "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.DescribeImages",
            # Not a signature: the emulator reads the service and the region from here and checks nothing.
            "Authorization": f"AWS4-HMAC-SHA256 Credential={account}/20260101/{region}/ecr/aws4_request, "
            "SignedHeaders=host, Signature=0",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return str(json.load(answer)["imageDetails"][0]["imageDigest"])
    except (urllib.error.URLError, OSError, ValueError, LookupError):
        return None


ENGINE = Engine()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Silence: a line for every request would bury what matters."""

    def answer(self, status: int, body: Any = None, content_type: str = "application/json") -> None:
        payload = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Api-Version", "1.44")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        path = re.sub(r"^/v[\d.]+(?=/)", "", unquote(url.path))  # the client puts the API's version in front
        for pattern, method in ROUTES:
            match = re.fullmatch(pattern, path)
            if match:
                method(self, match, query, body)
                return
        print(f"docker_engine: no answer for {self.command} {self.path}", file=sys.stderr)
        self.answer(404, {"message": "page not found"})

    do_GET = do_POST = do_DELETE = do_HEAD = do_PUT = handle_request

    # Every route below is called with the match of its pattern, the query string and the body.

    def ping(self, match: re.Match[str], query: dict[str, str], body: bytes) -> None:
        self.answer(200, b"OK", "text/plain")

    def version(self, match: re.Match[str], query: dict[str, str], body: bytes) -> None:
        self.answer(
            200,
            {"Version": "24.0.0", "ApiVersion": "1.44", "MinAPIVersion": "1.24", "Os": "linux", "Arch": "amd64"},
        )

    def info(self, match: re.Match[str], query: dict[str, str], body: bytes) -> None:
        self.answer(200, {"ID": "emulator", "ServerVersion": "24.0.0", "OSType": "linux", "Architecture": "x86_64"})

    def list_containers(self, match: re.Match[str], query: dict[str, str], body: bytes) -> None:
        everything = query.get("all", "").lower() in ("1", "true")
        containers = list(ENGINE.containers.values())
        self.answer(200, [c.summary() for c in containers if everything or c.status == "running"])

    def create_container(self, match: re.Match[str], query: dict[str, str], body: bytes) -> None:
        container = ENGINE.create(query.get("name", ""), json.loads(body))
        self.answer(201, {"Id": container.id, "Warnings": []})

    def container(self, match: re.Match[str], query: dict[str, str], body: bytes) -> None:
        container, action = ENGINE.find(match.group(1)), match.group(2)
        if container is None:
            self.answer(404, {"message": f"No such container: {match.group(1)}"})
        elif self.command == "DELETE":
            ENGINE.containers.pop(container.id, None)
            self.answer(204)
        elif action == "start":
            container.started = time.monotonic()
            self.answer(204)
        elif action == "json":
            self.answer(200, container.inspection())
        elif action == "wait":
            while container.status != "exited" and container.id in ENGINE.containers:
                time.sleep(0.05)
            self.answer(200, {"StatusCode": container.exit_code or 0})
        elif action in ("stop", "kill"):
            container.stop(137)
            self.answer(204)
        elif action == "logs":
            self.answer(200, b"", "application/vnd.docker.raw-stream")
        else:
            self.answer(404, {"message": "page not found"})

    def pull(self, match: re.Match[str], query: dict[str, str], body: bytes) -> None:
        image, tag = query["fromImage"], query.get("tag", "")
        if tag:
            image += ("@" if tag.startswith("sha256:") else ":") + tag
        behaviour = ENGINE.behaviour(image)
        if not behaviour.pullable:
            self.answer(404, {"message": f"manifest for {image} not found: manifest unknown"})
            return
        time.sleep(behaviour.pull_seconds)
        self.answer(200, json.dumps({"status": f"Status: Downloaded newer image for {image}"}).encode() + b"\n")

    def image(self, match: re.Match[str], query: dict[str, str], body: bytes) -> None:
        image, action = match.groups()
        if action == "tag":
            self.answer(201)
        elif not ENGINE.behaviour(image).pullable:
            self.answer(404, {"message": f"No such image: {image}"})
        else:
            digest = ENGINE.digest(image)
            repository = image.split("@")[0].removesuffix(":" + ENGINE.tag(image))
            self.answer(
                200,
                {
                    "Id": digest,
                    "RepoTags": [image],
                    "RepoDigests": [f"{repository}@{digest}"],
                    "Architecture": "amd64",
                    "Os": "linux",
                    "Config": {"Labels": {}},
                },
            )

    def distribution(self, match: re.Match[str], query: dict[str, str], body: bytes) -> None:
        image = match.group(1)
        if not ENGINE.behaviour(image).pullable:
            self.answer(404, {"message": "manifest unknown"})
            return
        media_type = "application/vnd.oci.image.manifest.v1+json"
        descriptor = {"mediaType": media_type, "digest": ENGINE.digest(image), "size": 1}
        self.answer(200, {"Descriptor": descriptor, "Platforms": []})

    def networks_and_volumes(self, match: re.Match[str], query: dict[str, str], body: bytes) -> None:
        if self.command == "DELETE":
            self.answer(204)
        else:
            self.answer(200, [] if self.command == "GET" else {"Id": "emulator"})

    def control_exit(self, match: re.Match[str], query: dict[str, str], body: bytes) -> None:
        one, image = query.get("container", ""), query.get("image", "")
        chosen = [c for c in [ENGINE.find(one)] if c] if one else list(ENGINE.containers.values())
        ended = [c for c in chosen if c.status == "running" and (one or (image and image in c.image))]
        for container in ended:
            container.stop(int(query.get("code", "1")))
        self.answer(200 if ended else 404, {"ended": [c.id for c in ended]})

    def control_exited(self, match: re.Match[str], query: dict[str, str], body: bytes) -> None:
        self.answer(200, {"exited": [c.id for c in list(ENGINE.containers.values()) if c.status == "exited"]})


ROUTES = (
    (r"/_ping", Handler.ping),
    (r"/version", Handler.version),
    (r"/info", Handler.info),
    (r"/control/exit", Handler.control_exit),
    (r"/control/exited", Handler.control_exited),
    (r"/containers/json", Handler.list_containers),
    (r"/containers/create", Handler.create_container),
    (r"/containers/([^/]+)(?:/(\w+))?", Handler.container),
    (r"/images/create", Handler.pull),
    (r"/images/(.+)/(json|tag)", Handler.image),
    (r"/distribution/(.+)/json", Handler.distribution),
    (r"/(?:networks|volumes).*", Handler.networks_and_volumes),
)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
