"""moto for every AWS service but ECS, on 127.0.0.1, with what a client of the real services would miss repaired.

    python moto_server.py PORT

The account is $MOTO_ACCOUNT_ID; $DRIFTLESS_EMULATOR_ECS is the server that has the services. Here are the request
ledger, CloudWatch over CBOR, and VPCs, subnets, security groups and certificates with a chosen id. What AWS answers
otherwise than moto is in

    moto_elbv2_*.py      load balancers, listeners, rules, target groups, their attributes and tags
    moto_scaling_*.py    scalable targets, scaling policies, scheduled actions
    moto_alarms.py       CloudWatch alarms
    moto_discovery.py    Cloud Map
    moto_logs.py         log groups
    moto_ecr.py          images
    moto_secrets.py      the versions of secrets
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import threading
from typing import Any, Callable, Iterable
from urllib.parse import parse_qsl

import cloudwatch_cbor
import ledger
import moto.acm.models as acm_models
import moto.ec2.models.security_groups as security_group_models
import moto.ec2.models.subnets as subnet_models
import moto.ec2.models.vpcs as vpc_models
import moto_alarms
import moto_discovery
import moto_ecr
import moto_elbv2_balancers
import moto_elbv2_listeners
import moto_elbv2_rules
import moto_elbv2_target_groups
import moto_logs
import moto_scaling_policies
import moto_scaling_schedules
import moto_scaling_targets
import moto_secrets
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

REPAIRS = (
    moto_elbv2_balancers,
    moto_elbv2_listeners,
    moto_elbv2_rules,
    moto_elbv2_target_groups,
    moto_scaling_targets,
    moto_scaling_policies,
    moto_scaling_schedules,
    moto_alarms,
    moto_discovery,
    moto_logs,
    moto_ecr,
    moto_secrets,
)
REQUESTED_ID_TAG = "driftless-emulator:id"
CREDENTIAL_SCOPE = re.compile(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request")

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


def honour_requested_ids() -> None:
    """Create a VPC, a subnet, a security group or a certificate with the id (or ARN) in its tag REQUESTED_ID_TAG.

    AWS always chooses the id, and so does moto; but an environment's files name subnet-0abc, and a test account has
    to have a subnet of just that id. The tag itself is not kept.
    """
    chosen = threading.local()

    def wrap(backend: Any, method: str, module: Any, generator: str, take: Callable[[Any], str | None]) -> None:
        create, generate = getattr(backend, method), getattr(module, generator)

        def create_with_id(self: Any, *arguments: Any, **keywords: Any) -> Any:
            # moto hands the tags on by keyword, except to request_certificate, where they come fourth.
            tags = keywords.get("tags") or (arguments[3] if len(arguments) > 3 else None)
            chosen.id = take(tags) if tags else None
            try:
                return create(self, *arguments, **keywords)
            finally:
                chosen.id = None

        def generate_id(*arguments: Any, **keywords: Any) -> str:
            return getattr(chosen, "id", None) or str(generate(*arguments, **keywords))

        setattr(module, generator, generate_id)
        setattr(backend, method, create_with_id)

    wrap(vpc_models.VPCBackend, "create_vpc", vpc_models, "random_vpc_id", _take_from_list)
    wrap(
        subnet_models.SubnetBackend,
        "create_subnet",
        subnet_models,
        "random_subnet_id",
        lambda tags: tags.get("subnet", {}).pop(REQUESTED_ID_TAG, None),
    )
    wrap(
        security_group_models.SecurityGroupBackend,
        "create_security_group",
        security_group_models,
        "random_security_group_id",
        lambda tags: tags.pop(REQUESTED_ID_TAG, None),
    )
    wrap(
        acm_models.AWSCertificateManagerBackend,
        "request_certificate",
        acm_models,
        "make_arn_for_certificate",
        _take_from_list,
    )


def _take_from_list(tags: list[dict[str, str]]) -> str | None:
    """Remove REQUESTED_ID_TAG from a list of tags, and return its value."""
    value = next((tag["Value"] for tag in tags if tag["Key"] == REQUESTED_ID_TAG), None)
    tags[:] = [tag for tag in tags if tag["Key"] != REQUESTED_ID_TAG]
    return value


class Front:
    """What stands before moto: CBOR in and out, and the ledger."""

    def __init__(self, application: DomainDispatcherApplication) -> None:
        self.application = application

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        cbor_operation = cloudwatch_cbor.operation(environ.get("PATH_INFO", ""))
        if cbor_operation:
            request = cloudwatch_cbor.decode_request(body)
            inner = _as_json_request(environ, cbor_operation, request)
        else:
            request = None
            inner = {**environ, "wsgi.input": io.BytesIO(body)}

        status, headers, answer = self._call(inner)
        code = int(status.split(" ", 1)[0])
        if cbor_operation:
            answer = cloudwatch_cbor.encode_response(cbor_operation, code, answer)
            headers = list(cloudwatch_cbor.RESPONSE_HEADERS)
        _record(environ, body, cbor_operation, request, code)

        headers = [(key, value) for key, value in headers if key.lower() != "content-length"]
        start_response(status, [*headers, ("Content-Length", str(len(answer)))])
        return [answer]

    def _call(self, environ: Environ) -> tuple[str, list[tuple[str, str]], bytes]:
        captured: list[Any] = []

        def capture(status: str, headers: list[tuple[str, str]], error: Any = None) -> None:
            captured[:] = [status, headers]

        answer = self.application(environ, capture)
        try:
            body = b"".join(answer)
        finally:
            if hasattr(answer, "close"):
                answer.close()
        return captured[0], captured[1], body


def _as_json_request(environ: Environ, operation: str, request: Any) -> Environ:
    body = json.dumps(request).encode()
    inner = {
        **environ,
        "PATH_INFO": "/",
        "CONTENT_TYPE": "application/x-amz-json-1.0",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_X_AMZ_TARGET": cloudwatch_cbor.JSON_TARGET + operation,
        "wsgi.input": io.BytesIO(body),
    }
    for header in ("HTTP_SMITHY_PROTOCOL", "HTTP_ACCEPT"):
        inner.pop(header, None)
    return inner


def _record(environ: Environ, body: bytes, cbor_operation: str | None, cbor_request: Any, status: int) -> None:
    """One ledger line in any protocol: CBOR, awsJson (X-Amz-Target), awsQuery (Action=), else method and path."""
    path = environ.get("PATH_INFO", "")
    if path.startswith("/moto-api"):
        return
    scope = CREDENTIAL_SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    region, service = scope.groups() if scope else ("", "")
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    content_type = environ.get("CONTENT_TYPE", "")
    request: Any
    if cbor_operation:
        operation, request = cbor_operation, cbor_request
    elif target:
        operation, request = target.rsplit(".", 1)[-1], _json_or_text(body)
    elif content_type.startswith("application/x-www-form-urlencoded"):
        request = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
        operation = request.pop("Action", "")
        request.pop("Version", None)
    else:
        operation, request = f"{environ['REQUEST_METHOD']} {path}", _json_or_text(body)
    ledger.record(
        service,
        operation,
        os.environ.get("MOTO_ACCOUNT_ID", ""),
        request,
        status,
        region=region,
        user_agent=environ.get("HTTP_USER_AGENT", ""),
    )


def _json_or_text(body: bytes) -> Any:
    try:
        return json.loads(body) if body else {}
    except ValueError:
        return body.decode(errors="replace")


class RequestHandler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *arguments: object) -> None:
        """Silence: a line for every request would bury what matters."""


def main() -> None:
    honour_requested_ids()
    for module in REPAIRS:
        module.repair()
    front = Front(DomainDispatcherApplication(create_backend_app))
    make_server("127.0.0.1", int(sys.argv[1]), front, threaded=True, request_handler=RequestHandler).serve_forever()


if __name__ == "__main__":
    main()
