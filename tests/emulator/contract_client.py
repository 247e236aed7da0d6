"""Calls an account as AWS's SDK for Python does, without its checks of inputs, and looks at what came over the wire."""

from __future__ import annotations

import datetime
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

import botocore
import botocore.loaders
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

import contract_shapes

Json = Any

# The names that the product has for the services, and botocore's.
SERVICES = {
    "ecs": "ecs",
    "elbv2": "elbv2",
    "autoscaling": "application-autoscaling",
    "cloudwatch": "cloudwatch",
    "discovery": "servicediscovery",
    "logs": "logs",
    "ecr": "ecr",
    "secretsmanager": "secretsmanager",
    "ssm": "ssm",
    "cloudformation": "cloudformation",
    "sts": "sts",
}
# The checks of inputs are the account's to make, a second try would hide what the first one met, and AWS's error is
# wanted also where the SDK would have refused by itself.
CONFIG = Config(
    parameter_validation=False,
    retries={"max_attempts": 0},
    connect_timeout=10,
    read_timeout=60,
    max_pool_connections=32,
)


@dataclass
class Answered:
    """What a call came back with: a document or an error."""

    document: Json = None
    code: str = ""
    message: str = ""
    # Where the answer is not of the documented shape.
    misshapen: list[str] = field(default_factory=list)

    def text(self) -> str:
        return f"{self.code}: {self.message}" if self.code else "done"


class _OneProtocol(botocore.loaders.Loader):  # type: ignore[misc]
    """Models as if a service spoke one protocol only."""

    protocol = ""

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Json:
        model = super().load_service_model(service_name, type_name, api_version)
        if type_name == "service-2" and self.protocol in model["metadata"].get("protocols", []):
            model["metadata"]["protocols"] = [self.protocol]
        return model


class Clients:
    """A client for each service and protocol, made at its first use. Threads may share them."""

    def __init__(self) -> None:
        self._sessions: dict[str, Any] = {}
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self._raw = threading.local()

    def call(self, call: str, request: Json, protocol: str = "") -> Answered:
        """`call` is as `elbv2 CreateRule`."""
        service, operation = call.split()
        client = self.of(service, protocol)
        self._raw.seen = None
        try:
            document = getattr(client, botocore.xform_name(operation))(**request)
        except ClientError as error:
            found = error.response.get("Error", {})
            return Answered(code=str(found.get("Code")), message=str(found.get("Message", "")))
        except (BotoCoreError, ResponseParserError, ValueError) as error:
            return Answered(code=type(error).__name__, message=str(error))
        document.pop("ResponseMetadata", None)
        return Answered(document=plain(document), misshapen=self._misshapen(client))

    def _misshapen(self, client: Any) -> list[str]:
        if self._raw.seen is None:
            return []
        operation, body = self._raw.seen
        return contract_shapes.findings(operation, client.meta.service_model.resolved_protocol, body)

    def model(self, call: str) -> Any:
        """botocore's model of an operation."""
        service, operation = call.split()
        return self._session("").get_service_model(SERVICES[service]).operation_model(operation)

    def pages(self, call: str) -> Json:
        """Members of requests and answers that page an operation."""
        service, operation = call.split()
        return self._session("").get_paginator_model(SERVICES[service]).get_paginator(operation)

    def of(self, service: str, protocol: str = "") -> Any:
        with self._lock:
            if (service, protocol) not in self._clients:
                client = self._session(protocol).create_client(SERVICES.get(service, service), config=CONFIG)
                client.meta.events.register("before-parse.*.*", self._see)
                self._clients[service, protocol] = client
            return self._clients[service, protocol]

    def _session(self, protocol: str) -> Any:
        if protocol not in self._sessions:
            session = botocore.session.get_session()
            if protocol:
                kind = type("Loader", (_OneProtocol,), {"protocol": protocol})
                session.register_component("data_loader", kind())
            self._sessions[protocol] = session
        return self._sessions[protocol]

    def _see(self, operation_model: Any, response_dict: Json, **_: Any) -> None:
        if response_dict["status_code"] < 300:
            self._raw.seen = (operation_model, response_dict["body"])


def plain(value: Json) -> Json:
    """Times as ISO 8601 in UTC, so that a table can name them."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
    return value


# What their containers do: see docker_engine.py for the emulator's images.
IMAGES = {
    "crashing": "example.com/web:crash-0.2",
    "unpullable": "example.com/web:nopull",
    "job": "example.com/job:job-0.3",
}


def surroundings(clients: Clients, counterpart: str) -> dict[str, Json]:
    """What scenarios name but the product does not make: a network, certificates, images. The simulated account has no
    EC2 and no ACM, and takes any name; the emulators make them."""
    sts = clients.of("sts")
    variables: dict[str, Json] = {
        **IMAGES,
        "account": sts.get_caller_identity()["Account"],
        "region": sts.meta.region_name,
    }
    names = ("subnet1", "subnet2", "certificate1", "certificate2", "certificate3")
    if counterpart == "simulated":
        prefix = f"arn:aws:acm:{variables['region']}:{variables['account']}:certificate"
        made = [f"subnet-0contract{n}" for n in (1, 2)] + [f"{prefix}/{uuid.uuid4()}" for _ in range(3)]
        return {**variables, "vpc": "vpc-0contract", **dict(zip(names, made))}
    ec2, acm = clients.of("ec2"), clients.of("acm")
    vpc = ec2.create_vpc(CidrBlock="10.200.0.0/16")["Vpc"]["VpcId"]
    tags = [{"ResourceType": "subnet", "Tags": [{"Key": "Name", "Value": "contract"}]}]
    zones = [variables["region"] + letter for letter in "ab"]
    made = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.200.{number}.0/24", AvailabilityZone=zone, TagSpecifications=tags)[
            "Subnet"
        ]["SubnetId"]
        for number, zone in enumerate(zones)
    ]
    made += [acm.request_certificate(DomainName=f"c{n}.invalid")["CertificateArn"] for n in range(3)]
    return {**variables, "vpc": vpc, **dict(zip(names, made))}
