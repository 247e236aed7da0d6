"""Cloud Map as AWS answers it: namespaces, services and their tags.

Source: the Cloud Map API reference (ListNamespaces, CreatePrivateDnsNamespace, CreateService, UpdateService,
DeleteService, ListServices, TagResource).
"""

from __future__ import annotations

import json
from typing import Any

import moto.servicediscovery.models as models
import moto.servicediscovery.responses as responses
from moto.core.exceptions import JsonRESTError
from moto_repairs import Document, install, page

MOST_TAGS = 50
LARGEST_PAGE = 100
DNS_TYPES = ("DNS_PRIVATE", "DNS_PUBLIC")


def repair() -> None:
    install(
        responses.ServiceDiscoveryResponse,
        [
            list_namespaces,
            get_namespace,
            create_private_dns_namespace,
            create_service,
            get_service,
            list_services,
            update_service,
            delete_service,
            tag_resource,
            untag_resource,
            list_tags_for_resource,
        ],
    )


def refused(code: str, message: str, **members: str) -> JsonRESTError:
    error = JsonRESTError(code, message)
    error.description = json.dumps({"__type": code, "message": message, **members})
    return error


def _request(self: Any) -> Document:
    members: Document = json.loads(self.body or "{}")
    return {key: value for key, value in members.items() if value is not None}


def _without_none(members: Document) -> Document:
    return {key: value for key, value in members.items() if value is not None}


def _one_page(key: str, items: list[Document], asked: Document) -> str:
    size = asked.get("MaxResults") or LARGEST_PAGE
    if not 1 <= size <= LARGEST_PAGE:
        raise refused("InvalidInput", f"MaxResults must be between 1 and {LARGEST_PAGE}")
    found, token = page(items, asked.get("NextToken"), size, refused("InvalidInput", "Invalid NextToken"))
    return json.dumps({key: found, **({"NextToken": token} if token else {})})


def _matches(asked: Document, values: dict[str, str | None]) -> bool:
    """Whether all of the request's Filters fit. EQ takes one value, IN several, BEGINS_WITH a prefix."""
    for each in asked.get("Filters") or []:
        name, condition, wanted = each["Name"], each.get("Condition", "EQ"), each.get("Values") or []
        if name not in values or not wanted:
            raise refused("InvalidInput", f"Invalid filter {name}")
        if condition == "EQ" and len(wanted) > 1:
            raise refused("InvalidInput", "EQ takes one value")
        value = values[name]
        fits = any((value or "").startswith(one) for one in wanted) if condition == "BEGINS_WITH" else value in wanted
        if not fits:
            return False
    return True


# Namespaces


def list_namespaces(self: Any) -> str:
    """With the filters TYPE, NAME, HTTP_NAME and RESOURCE_OWNER, a hundred a page."""
    asked = _request(self)
    backend = self.servicediscovery_backend
    found = []
    for namespace in backend.namespaces.values():
        shown = _shown_namespace(backend, namespace)
        http_name = shown["Properties"]["HttpProperties"]["HttpName"]
        values = {"TYPE": namespace.type, "NAME": namespace.name, "HTTP_NAME": http_name, "RESOURCE_OWNER": "SELF"}
        if _matches(asked, values):
            found.append({key: value for key, value in shown.items() if key not in ("CreatorRequestId", "UpdateDate")})
    return _one_page("Namespaces", found, asked)


def get_namespace(self: Any) -> str:
    backend = self.servicediscovery_backend
    namespace = _namespace(backend, _request(self)["Id"])
    return json.dumps({"Namespace": _shown_namespace(backend, namespace)})


def _namespace(backend: Any, reference: str) -> Any:
    """By id or by ARN."""
    namespace = backend.namespaces.get(reference.rsplit("/", 1)[-1])
    if namespace is None:
        raise refused("NamespaceNotFound", f"No namespace with ID {reference}")
    return namespace


def _shown_namespace(backend: Any, namespace: Any) -> Document:
    """Every namespace has an HTTP name; only those of DNS have a hosted zone."""
    shown = _without_none(namespace.to_json())
    dns = namespace.dns_properties if namespace.type in DNS_TYPES else None
    shown["Properties"] = _without_none({"DnsProperties": dns, "HttpProperties": {"HttpName": namespace.name}})
    shown["ServiceCount"] = len([each for each in backend.services.values() if each.namespace_id == namespace.id])
    shown["ResourceOwner"] = backend.account_id
    return shown


def create_private_dns_namespace(self: Any) -> str:
    """Any number of names in one VPC, each once: the same name again is NamespaceAlreadyExists. moto allows one
    namespace for each VPC, whatever its name."""
    asked = _request(self)
    backend = self.servicediscovery_backend
    name, vpc = asked["Name"], asked["Vpc"]
    same = [each for each in backend.namespaces.values() if each.name == name and each.type == "DNS_PRIVATE"]
    for namespace in same:
        if namespace.vpc == vpc:
            message = f"The namespace {name} already exists in VPC {vpc}"
            raise refused("NamespaceAlreadyExists", message, NamespaceId=namespace.id)
    in_the_vpc = {each: each.vpc for each in backend.namespaces.values() if each.vpc == vpc}
    for namespace in in_the_vpc:
        namespace.vpc = None  # out of moto's sight while it looks for conflicts
    try:
        operation = backend.create_private_dns_namespace(
            name=name,
            creator_request_id=asked.get("CreatorRequestId"),
            description=asked.get("Description"),
            vpc=vpc,
            tags=asked.get("Tags"),
            properties=asked.get("Properties"),
        )
    finally:
        for namespace, its_vpc in in_the_vpc.items():
            namespace.vpc = its_vpc
    return json.dumps({"OperationId": operation})


# Services


def create_service(self: Any) -> str:
    """The namespace has to exist (NamespaceNotFound), and the name must be free in it (ServiceAlreadyExists, unless
    the CreatorRequestId and the request are those of the one that is there)."""
    asked = _request(self)
    backend = self.servicediscovery_backend
    dns = dict(asked.get("DnsConfig") or {})
    reference = asked.get("NamespaceId") or dns.pop("NamespaceId", None)
    if not reference:
        raise refused("InvalidInput", "A namespace ID must be specified")
    namespace = _namespace(backend, reference)
    for service in backend.services.values():
        if service.namespace_id == namespace.id and service.name.lower() == asked["Name"].lower():
            if service.asked == asked and asked.get("CreatorRequestId"):
                return json.dumps({"Service": shown_service(service)})
            message = f"Service {asked['Name']} already exists in namespace {namespace.id}"
            raise refused("ServiceAlreadyExists", message, ServiceId=service.id, ServiceArn=service.arn)
    if dns and namespace.type not in DNS_TYPES:
        raise refused("InvalidInput", "DnsConfig cannot be specified for a service in an HTTP namespace")
    if asked.get("HealthCheckConfig") and namespace.type == "DNS_PRIVATE":
        raise refused("InvalidInput", "HealthCheckConfig cannot be specified for a private DNS namespace")
    if asked.get("HealthCheckConfig") and asked.get("HealthCheckCustomConfig"):
        raise refused("InvalidInput", "HealthCheckConfig and HealthCheckCustomConfig exclude one another")
    if asked.get("Type") == "HTTP" and dns:
        raise refused("InvalidInput", "A service of type HTTP has no DnsConfig")
    if dns:
        dns.setdefault("RoutingPolicy", "MULTIVALUE")
    custom = asked.get("HealthCheckCustomConfig")
    service = backend.create_service(
        name=asked["Name"],
        namespace_id=namespace.id,
        creator_request_id=asked.get("CreatorRequestId"),
        description=asked.get("Description"),
        dns_config=dns or None,
        health_check_config=_filled_health_check(asked.get("HealthCheckConfig")),
        # "This parameter is no longer supported and is always set to 1."
        health_check_custom_config={"FailureThreshold": 1} if custom is not None else None,
        tags=asked.get("Tags"),
        service_type="DNS_HTTP" if dns else "HTTP",
    )
    service.asked = asked
    return json.dumps({"Service": shown_service(service)})


def _filled_health_check(check: Document | None) -> Document | None:
    if not check:
        return None
    filled = {"FailureThreshold": 1, **check}
    if filled["Type"] == "TCP":
        if "ResourcePath" in check:
            raise refused("InvalidInput", "ResourcePath cannot be specified for a TCP health check")
    else:
        filled.setdefault("ResourcePath", "/")
    return filled


def shown_service(service: Any) -> Document:
    shown = _without_none(service.to_json())
    if service.dns_config:
        shown["DnsConfig"] = {**service.dns_config, "NamespaceId": service.namespace_id}
    return {**shown, "ResourceOwner": service.account_id, "InstanceCount": len(service.instances)}


def _service(backend: Any, reference: str) -> Any:
    """By id or by ARN."""
    service = backend.services.get(reference.rsplit("/", 1)[-1])
    if service is None:
        raise refused("ServiceNotFound", f"No service with ID {reference}")
    return service


def get_service(self: Any) -> str:
    return json.dumps({"Service": shown_service(_service(self.servicediscovery_backend, _request(self)["Id"]))})


def list_services(self: Any) -> str:
    """With the filters NAMESPACE_ID and RESOURCE_OWNER, a hundred a page; summaries, without the namespace."""
    asked = _request(self)
    found = []
    for service in self.servicediscovery_backend.services.values():
        if _matches(asked, {"NAMESPACE_ID": service.namespace_id, "RESOURCE_OWNER": "SELF"}):
            hidden = ("NamespaceId", "CreatorRequestId")
            summary = {key: value for key, value in shown_service(service).items() if key not in hidden}
            if "DnsConfig" in summary:
                summary["DnsConfig"] = {k: v for k, v in summary["DnsConfig"].items() if k != "NamespaceId"}
            found.append(summary)
    return _one_page("Services", found, asked)


def update_service(self: Any) -> str:
    """Changes the description, the TTLs of records that are there, and the health check. Records and a health check
    that are left out are deleted; a custom health check stays. No new record types, and nothing in HTTP namespaces."""
    asked = _request(self)
    backend = self.servicediscovery_backend
    service = _service(backend, asked["Id"])
    change = _without_none(asked.get("Service") or {})
    namespace = backend.namespaces.get(service.namespace_id)
    if namespace is None or namespace.type not in DNS_TYPES:
        raise refused("InvalidInput", "A service in an HTTP namespace cannot be updated")
    kept: list[str] = [each["Type"] for each in (service.dns_config or {}).get("DnsRecords", [])]
    records = (change.get("DnsConfig") or {}).get("DnsRecords") or []
    if new := [each["Type"] for each in records if each["Type"] not in kept]:
        raise refused("InvalidInput", f"DNS records cannot be added to a service: {', '.join(new)}")
    if change.get("HealthCheckConfig") and (service.health_check_custom_config or namespace.type == "DNS_PRIVATE"):
        raise refused("InvalidInput", "HealthCheckConfig cannot be specified for this service")
    if "Description" in change:
        service.description = change["Description"]
    service.dns_config = {**service.dns_config, "DnsRecords": records} if records else None
    service.health_check_config = _filled_health_check(change.get("HealthCheckConfig"))
    operation = backend._create_operation("UPDATE_SERVICE", targets={"SERVICE": service.id})
    return json.dumps({"OperationId": operation})


def delete_service(self: Any) -> str:
    """ResourceInUse while an instance is registered."""
    backend = self.servicediscovery_backend
    service = _service(backend, _request(self)["Id"])
    if service.instances:
        raise refused("ResourceInUse", "Service contains registered instances; delete the instances first")
    backend.tagger.delete_all_tags_for_resource(service.arn)
    backend.delete_service(service.id)
    return "{}"


# Tags


def tag_resource(self: Any) -> str:
    """Adds the tags to those of the service or namespace; fifty at most."""
    asked = _request(self)
    tagger = _tagger(self, asked["ResourceARN"])
    tags = asked.get("Tags", [])
    if len({*tagger.get_tag_dict_for_resource(asked["ResourceARN"]), *(each["Key"] for each in tags)}) > MOST_TAGS:
        raise refused("TooManyTagsException", "Too many tags", ResourceName=asked["ResourceARN"])
    tagger.tag_resource(asked["ResourceARN"], tags)
    return "{}"


def untag_resource(self: Any) -> str:
    asked = _request(self)
    _tagger(self, asked["ResourceARN"]).untag_resource_using_names(asked["ResourceARN"], asked.get("TagKeys", []))
    return "{}"


def list_tags_for_resource(self: Any) -> str:
    arn = _request(self)["ResourceARN"]
    return json.dumps(_tagger(self, arn).list_tags_for_resource(arn))


def _tagger(self: Any, arn: str) -> Any:
    backend: models.ServiceDiscoveryBackend = self.servicediscovery_backend
    known: list[Any] = [*backend.services.values(), *backend.namespaces.values()]
    if arn not in {each.arn for each in known}:
        raise refused("ResourceNotFoundException", f"Unknown resource {arn}")
    return backend.tagger
