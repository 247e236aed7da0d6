"""Listeners, their certificates and their attributes as AWS answers them.

Source: the Elastic Load Balancing API reference (CreateListener, ModifyListener, DescribeListenerCertificates,
ListenerAttribute) and the Application Load Balancer guide on certificates; [O] messages as issue trackers quote them.
"""

from __future__ import annotations

import copy
from typing import Any

import moto.elbv2.responses as responses
from moto.core.responses import ActionResult, EmptyResult
from moto.elbv2.ssl_policies import SSL_POLICIES
from moto_elbv2_actions import checked_actions, refused, shown_action
from moto_elbv2_rules import listener_of, one_page
from moto_repairs import Document, install

SECURE = ("HTTPS", "TLS")
DEFAULT_POLICY = "ELBSecurityPolicy-2016-08"
MOST_CERTIFICATES = 25  # beside the default one

RESPONSE_HEADERS = (
    "strict_transport_security",
    "access_control_allow_origin",
    "access_control_allow_methods",
    "access_control_allow_headers",
    "access_control_allow_credentials",
    "access_control_expose_headers",
    "access_control_max_age",
    "content_security_policy",
    "x_content_type_options",
    "x_frame_options",
)
REQUEST_HEADERS = (  # HTTPS only
    "x_amzn_mtls_clientcert_serial_number",
    "x_amzn_mtls_clientcert_issuer",
    "x_amzn_mtls_clientcert_subject",
    "x_amzn_mtls_clientcert_validity",
    "x_amzn_mtls_clientcert_leaf",
    "x_amzn_mtls_clientcert",
    "x_amzn_tls_version",
    "x_amzn_tls_cipher_suite",
)


def repair() -> None:
    install(
        responses.ELBV2Response,
        [
            create_listener,
            modify_listener,
            describe_listeners,
            add_listener_certificates,
            remove_listener_certificates,
            describe_listener_certificates,
            describe_listener_attributes,
            modify_listener_attributes,
        ],
    )


def default_attributes(protocol: str) -> dict[str, str]:
    """Every attribute that a listener of the protocol has, at its default."""
    if protocol not in ("HTTP", "HTTPS"):
        return {"tcp.idle_timeout.seconds": "350"} if protocol in ("TCP", "GENEVE", "") else {}
    attributes = {"routing.http.response.server.enabled": "true"}
    attributes.update({f"routing.http.response.{header}.header_value": "" for header in RESPONSE_HEADERS})
    if protocol == "HTTPS":
        attributes.update({f"routing.http.request.{header}.header_name": "" for header in REQUEST_HEADERS})
    return attributes


def create_listener(self: Any) -> ActionResult:
    """The same request again is answered with the listener that is there; another one on its port is
    DuplicateListener. HTTPS and TLS need one certificate, HTTP takes none."""
    asked = self._get_params()
    backend = self.elbv2_backend
    balancer = backend.load_balancers.get(asked["LoadBalancerArn"])
    if balancer is None:
        raise refused("LoadBalancerNotFound", f"Load balancer '{asked['LoadBalancerArn']}' not found")
    settings = {key: value for key, value in asked.items() if key != "Tags"}
    for listener in balancer.listeners.values():
        if listener.port == asked.get("Port"):
            if getattr(listener, "asked", None) == settings:
                return ActionResult({"Listeners": [shown_listener(listener, balancer)]})
            raise refused("DuplicateListener", "A listener already exists on this port for this load balancer")
    settings_before = copy.deepcopy(settings)
    protocol = asked.get("Protocol", "")
    certificate, policy = _security(backend, protocol, asked, None, None)
    actions = checked_actions(backend, balancer, asked.get("DefaultActions", []))
    listener = backend.create_listener(
        load_balancer_arn=balancer.arn,
        protocol=asked.get("Protocol"),
        port=asked.get("Port"),
        ssl_policy=policy,
        certificate=certificate,
        actions=[action.data for action in actions],
        alpn_policy=asked.get("AlpnPolicy", []),
        tags=asked.get("Tags"),
    )
    listener.asked = settings_before
    listener.certificates = []  # the default one is `certificate`; these are the added ones
    listener.attributes = default_attributes(protocol)
    listener.mutual_authentication = _mutual_authentication(protocol, asked, None)
    return ActionResult({"Listeners": [shown_listener(listener, balancer)]})


def modify_listener(self: Any) -> ActionResult:
    """What is left out stays. A protocol that becomes HTTPS or TLS needs certificate and policy in the same call; one
    that becomes HTTP or TCP loses them."""
    asked = self._get_params()
    backend = self.elbv2_backend
    listener = listener_of(backend, asked["ListenerArn"])
    balancer = backend.load_balancers[listener.load_balancer_arn]
    port, protocol = asked.get("Port", listener.port), asked.get("Protocol", listener.protocol)
    if any(other.port == port and other is not listener for other in balancer.listeners.values()):
        raise refused("DuplicateListener", "A listener already exists on this port for this load balancer")
    backend._validate_port_and_protocol(balancer.type, port, protocol)
    if protocol in SECURE and listener.protocol not in SECURE and not asked.get("SslPolicy"):
        raise refused("ValidationError", f"A security policy must be specified for {protocol} listeners")
    certificate, policy = _security(backend, protocol, asked, listener.certificate, listener.ssl_policy)
    if asked.get("DefaultActions"):
        previous = [each.data for each in listener.default_actions]
        actions = checked_actions(backend, balancer, asked["DefaultActions"], previous)
        backend._validate_actions(actions)
        listener.default_actions = actions
        listener._default_rule[0].actions = actions
    if protocol != listener.protocol:
        kept = {key: listener.attributes[key] for key in default_attributes(protocol) if key in listener.attributes}
        listener.attributes = {**default_attributes(protocol), **kept}
    listener.mutual_authentication = _mutual_authentication(protocol, asked, listener.mutual_authentication)
    if protocol not in SECURE:
        listener.certificates = []
    listener.port, listener.protocol, listener.certificate, listener.ssl_policy = port, protocol, certificate, policy
    if "AlpnPolicy" in asked:
        listener.alpn_policy = asked["AlpnPolicy"]
    listener.asked = None
    return ActionResult({"Listeners": [shown_listener(listener, balancer)]})


def _security(
    backend: Any, protocol: str, asked: Document, certificate: str | None, policy: str | None
) -> tuple[str | None, str | None]:
    """The default certificate and the policy of a listener after the request."""
    given = [each["CertificateArn"] for each in asked.get("Certificates") or []]
    if protocol not in SECURE:
        if given:
            raise refused("ValidationError", f"A certificate cannot be specified for {protocol} listeners")
        if asked.get("SslPolicy"):
            raise refused("ValidationError", f"An SSL policy cannot be specified for {protocol} listeners")
        return None, None
    if len(given) > 1:
        message = f"Up to '1' certificate ARNs can be specified, but '{len(given)}' were specified"
        raise refused("TooManyCertificates", message)
    _check_certificates(backend, given)
    certificate = given[0] if given else certificate
    if certificate is None:
        raise refused("ValidationError", f"A certificate must be specified for {protocol} listeners")
    policy = asked.get("SslPolicy") or policy or DEFAULT_POLICY
    if policy not in SSL_POLICIES:
        raise refused("SSLPolicyNotFound", f"SSL policy '{policy}' not found")
    return certificate, policy


def _check_certificates(backend: Any, arns: list[str]) -> None:
    for arn in arns:
        if not backend._certificate_exists(certificate_arn=arn):
            raise refused("CertificateNotFound", f"Certificate '{arn}' not found")


def _mutual_authentication(protocol: str, asked: Document, previous: Document | None) -> Document | None:
    if protocol != "HTTPS":
        return None
    return asked.get("MutualAuthentication") or previous or {"Mode": "off"}


def describe_listeners(self: Any) -> ActionResult:
    """One ARN that is unknown makes the whole call ListenerNotFound."""
    asked = self._get_params()
    backend = self.elbv2_backend
    arns = asked.get("ListenerArns") or []
    if asked.get("LoadBalancerArn"):
        found = backend.describe_listeners(asked["LoadBalancerArn"], [])
    elif arns:
        found = [listener_of(backend, arn) for arn in arns]
    else:
        raise refused("ValidationError", "You must specify either listener ARNs or a load balancer ARN")
    found, marker = one_page(found, asked)
    shown = [shown_listener(each, backend.load_balancers[each.load_balancer_arn]) for each in found]
    return ActionResult({"Listeners": shown, "NextMarker": marker})


def shown_listener(listener: Any, balancer: Any) -> Document:
    """Only the default certificate; the others are told by DescribeListenerCertificates. (A bare ARN: moto itself
    makes the structure of it.)"""
    return {
        "ListenerArn": listener.arn,
        "LoadBalancerArn": listener.load_balancer_arn,
        "Port": listener.port,
        "Protocol": listener.protocol or None,
        "Certificates": [listener.certificate] if listener.certificate else [],
        "SslPolicy": listener.ssl_policy,
        "DefaultActions": [shown_action(each.data, balancer.type) for each in listener.default_actions],
        "AlpnPolicy": listener.alpn_policy or None,
        "MutualAuthentication": listener.mutual_authentication,
    }


def add_listener_certificates(self: Any) -> ActionResult:
    """One certificate a call. One that is in the list already stays there once; the default one may be added, and is
    listed twice from then on [O]."""
    asked = self._get_params()
    backend = self.elbv2_backend
    listener = _secure_listener(backend, asked["ListenerArn"])
    arns = [each["CertificateArn"] for each in asked.get("Certificates", [])]
    if len(arns) != 1:
        message = f"Up to '1' certificate ARNs can be specified, but '{len(arns)}' were specified"
        raise refused("TooManyCertificates", message)
    _check_certificates(backend, arns)
    new = [arn for arn in arns if arn not in listener.certificates]
    if len(listener.certificates) + len(new) > MOST_CERTIFICATES:
        raise refused("TooManyCertificates", "You've reached the limit on the number of certificates per load balancer")
    listener.certificates.extend(new)
    return ActionResult({"Certificates": [{"CertificateArn": arn, "IsDefault": False} for arn in arns]})


def remove_listener_certificates(self: Any) -> EmptyResult:
    """The default certificate can only be replaced, with ModifyListener."""
    asked = self._get_params()
    listener = _secure_listener(self.elbv2_backend, asked["ListenerArn"])
    for arn in (each["CertificateArn"] for each in asked.get("Certificates", [])):
        if arn in listener.certificates:
            listener.certificates.remove(arn)
        elif arn == listener.certificate:
            raise refused("OperationNotPermitted", "Default certificate cannot be removed from a listener")
    return EmptyResult()


def describe_listener_certificates(self: Any) -> ActionResult:
    """The default certificate first, then the added ones."""
    asked = self._get_params()
    listener = listener_of(self.elbv2_backend, asked["ListenerArn"])
    certificates = [{"CertificateArn": listener.certificate, "IsDefault": True}] if listener.certificate else []
    certificates += [{"CertificateArn": arn, "IsDefault": False} for arn in listener.certificates]
    shown, marker = one_page(certificates, asked)
    return ActionResult({"Certificates": shown, "NextMarker": marker})


def _secure_listener(backend: Any, arn: str) -> Any:
    listener = listener_of(backend, arn)
    if listener.protocol not in SECURE:
        message = f"Certificates cannot be added to or removed from {listener.protocol} listeners"
        raise refused("OperationNotPermitted", message)
    return listener


def describe_listener_attributes(self: Any) -> ActionResult:
    listener = listener_of(self.elbv2_backend, self._get_params()["ListenerArn"])
    return ActionResult({"Attributes": listener.attributes})


def modify_listener_attributes(self: Any) -> ActionResult:
    asked = self._get_params()
    listener = listener_of(self.elbv2_backend, asked["ListenerArn"])
    known = {**default_attributes("HTTPS"), **default_attributes("TCP")}
    set_attributes("Listener", listener.attributes, asked.get("Attributes", []), known)
    return ActionResult({"Attributes": listener.attributes})


def set_attributes(kind: str, attributes: dict[str, str], asked: list[Document], known: Any) -> None:
    """An unknown key is a ValidationError, one that another protocol or type has InvalidConfigurationRequest, and
    then nothing is set. Values are texts."""
    for each in asked:
        if each["Key"] not in known:
            raise refused("ValidationError", f"{kind} attribute key '{each['Key']}' is not recognized")
        if each["Key"] not in attributes:
            message = f"{kind} attribute key '{each['Key']}' is not supported for this {kind.lower()}"
            raise refused("InvalidConfigurationRequest", message)
    attributes.update({each["Key"]: str(each.get("Value", "")) for each in asked})
