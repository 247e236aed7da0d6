"""Fill the emulated account with what an environment refers to but does not make by itself.

    python prepare.py ENVIRONMENT_DIR

That is: a VPC with the named subnets and security groups, the ECS cluster, the certificates, the load balancers and
those of their listeners that rules name but `loadBalancers` of environment.yaml does not declare, IAM roles, ECR
repositories with the images, secrets and parameters, Cloud Map namespaces. Declared listeners, target groups, rules,
services, task definitions, scaling, alarms, Cloud Map services and log groups are the product's own work. Running it
again changes nothing.

The endpoints come from the AWS SDK's variables, as `run` sets them. It refuses to run without them, so that it can
never write to a real account.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import environment_files
from botocore.exceptions import ClientError
from environment_files import Document, Environment, listing, mapping
from ledger import INTERNAL_USER_AGENT

REQUESTED_ID_TAG = "driftless-emulator:id"  # as moto_server.py reads it
VPC_NAME = "driftless-emulator"
ASSUME_ROLE_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
NOT_FOUND_PAGE = {
    "Type": "fixed-response",
    "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"},
}
ECR_IMAGE = re.compile(r"^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/([^:@]+):([^:@$]+)$")


class Account:
    """The emulated account in one region, and what it takes to add to it without adding twice."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.account = environment.text("account", os.environ["AWS_ACCESS_KEY_ID"])
        self.region = environment.text("region", os.environ["AWS_REGION"])
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            config = botocore.config.Config(user_agent_extra=INTERNAL_USER_AGENT, retries={"max_attempts": 2})
            self._clients[service] = boto3.client(service, region_name=self.region, config=config)
        return self._clients[service]

    def prepare(self) -> None:
        self.vpc = self.ensure_vpc(VPC_NAME, self._named_vpc())
        self.ensure_network()
        self.client("ecs").create_cluster(clusterName=self.environment.text("cluster", "default"))
        self.ensure_certificates()
        self.ensure_load_balancers()
        self.ensure_roles()
        self.ensure_images()
        self.ensure_secrets()
        self.ensure_namespaces()

    # Network

    def _documents(self) -> list[Document]:
        """environment.yaml and every service: target groups, rules and discovery may stand in any of them."""
        return [self.environment.document, *(service.document for service in self.environment.services)]

    def _named_vpc(self) -> str | None:
        """The VPC that the target groups name, if any does."""
        groups = [group for each in self._documents() for group in environment_files.named(each.get("targetGroups"))]
        named = [str(group[key]) for group in groups for key in ("vpcId", "VpcId") if group.get(key)]
        return next((vpc for vpc in named if "${" not in vpc), None)

    def ensure_vpc(self, name: str, requested: str | None = None) -> str:
        ec2 = self.client("ec2")
        found = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": [name]}])["Vpcs"]
        if found:
            return str(found[0]["VpcId"])
        tags = {"Name": name, **({REQUESTED_ID_TAG: requested} if requested else {})}
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=_tags("vpc", tags))["Vpc"]["VpcId"]
        for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
            ec2.modify_vpc_attribute(VpcId=vpc, **{attribute: {"Value": True}})
        return str(vpc)

    def ensure_network(self) -> None:
        """The subnets and security groups that the services name, with just those ids; two subnets at least, in two
        zones, because a load balancer needs them."""
        named: dict[str, list[str]] = {"subnets": [], "securityGroups": []}
        for service in self.environment.services:
            network = mapping(mapping(service.document.get("service")).get("networkConfiguration"))
            awsvpc = mapping(network.get("awsvpcConfiguration"))
            for kind, names in named.items():
                names += [str(name) for name in awsvpc.get(kind) or [] if str(name) not in names]
        for spare in ("subnet-emulator0a", "subnet-emulator0b")[: max(0, 2 - len(named["subnets"]))]:
            named["subnets"].append(spare)
        ec2 = self.client("ec2")
        existing = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["Subnets"]
        self.subnets = {subnet["SubnetId"]: subnet["AvailabilityZone"] for subnet in existing}
        for subnet in named["subnets"]:
            if subnet not in self.subnets:
                number = len(self.subnets)
                zone = self.region + "ab"[number % 2]
                ec2.create_subnet(
                    VpcId=self.vpc,
                    CidrBlock=f"10.0.{number}.0/24",
                    AvailabilityZone=zone,
                    TagSpecifications=_tags("subnet", {REQUESTED_ID_TAG: subnet, "Name": subnet}),
                )
                self.subnets[subnet] = zone
        groups = {group["GroupId"] for group in ec2.describe_security_groups()["SecurityGroups"]}
        for group in named["securityGroups"]:
            if group not in groups:
                ec2.create_security_group(
                    GroupName=f"emulator {group}",  # a name must not begin with sg-
                    Description="named by the environment",
                    VpcId=self.vpc,
                    TagSpecifications=_tags("security-group", {REQUESTED_ID_TAG: group}),
                )

    # Load balancing

    def ensure_certificates(self) -> None:
        """Every ACM certificate that the files name: a listener of an unknown one is refused, as on AWS."""
        acm = self.client("acm")
        existing = {each["CertificateArn"] for each in acm.list_certificates()["CertificateSummaryList"]}
        text = json.dumps(self._documents(), default=str)
        named = re.findall(r"arn:aws:acm:[a-z0-9-]+:\d{12}:certificate/[\w-]+", text)
        for arn in sorted(set(named)):
            if arn not in existing:
                tags = [{"Key": REQUESTED_ID_TAG, "Value": arn}]
                acm.request_certificate(DomainName="emulator.invalid", Tags=tags)

    def ensure_load_balancers(self) -> None:
        """Every load balancer that is declared or named; of the listeners only those that nobody declares."""
        declared = {
            str(name): {int(each["port"]) for each in listing(mapping(balancer).get("listeners"))}
            for name, balancer in mapping(self.environment.document.get("loadBalancers")).items()
        }
        missing: dict[str, set[int]] = {name: set() for name in declared}
        for document in self._documents():
            for rule in environment_files.named(document.get("rules")):
                name, _, port = str(rule.get("listener", "")).rpartition(":")
                if name and port.isdigit() and not name.startswith("arn:"):
                    missing.setdefault(name, set()).update({int(port)} - declared.get(name, set()))
        for name, ports in missing.items():
            self._ensure_listeners(self._ensure_load_balancer(name), ports)

    def _ensure_load_balancer(self, name: str) -> str:
        elbv2 = self.client("elbv2")
        try:
            return str(elbv2.describe_load_balancers(Names=[name])["LoadBalancers"][0]["LoadBalancerArn"])
        except elbv2.exceptions.LoadBalancerNotFoundException:
            one_per_zone = {zone: subnet for subnet, zone in self.subnets.items()}
            created = elbv2.create_load_balancer(Name=name, Subnets=sorted(one_per_zone.values()))
            return str(created["LoadBalancers"][0]["LoadBalancerArn"])

    def _ensure_listeners(self, balancer: str, ports: set[int]) -> None:
        elbv2 = self.client("elbv2")
        existing = {each["Port"] for each in elbv2.describe_listeners(LoadBalancerArn=balancer)["Listeners"]}
        for port in sorted(ports - existing):
            elbv2.create_listener(
                LoadBalancerArn=balancer, Protocol="HTTP", Port=port, DefaultActions=[NOT_FOUND_PAGE]
            )

    # What tasks need

    def ensure_roles(self) -> None:
        iam = self.client("iam")
        for service in self.environment.services:
            for key in ("executionRoleArn", "taskRoleArn"):
                reference = str(service.task_definition.get(key) or "")
                if not reference or "${" in reference:
                    continue
                path, _, name = reference.rsplit(":role/", 1)[-1].rpartition("/")
                try:
                    iam.create_role(
                        RoleName=name,
                        Path=f"/{path}/" if path else "/",
                        AssumeRolePolicyDocument=json.dumps(ASSUME_ROLE_POLICY),
                    )
                except iam.exceptions.EntityAlreadyExistsException:
                    pass

    def ensure_images(self) -> None:
        """A repository for every image of this account, with the tag pushed if the files say which one it is."""
        ecr = self.client("ecr")
        for service in self.environment.services:
            for _, container in service.containers():
                image = str(container["_overlay"].get("image") or container.get("image") or "")
                repository, tag = _repository_and_tag(image, self.account)
                if not repository:
                    continue
                try:
                    ecr.create_repository(repositoryName=repository)
                except ecr.exceptions.RepositoryAlreadyExistsException:
                    pass
                if tag:
                    self._ensure_image(repository, tag)

    def _ensure_image(self, repository: str, tag: str) -> None:
        ecr = self.client("ecr")
        try:
            ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
        except ecr.exceptions.ImageNotFoundException:
            layer = "sha256:" + hashlib.sha256(f"{repository}:{tag}".encode()).hexdigest()
            media_type = "application/vnd.oci.image.manifest.v1+json"
            manifest = {"schemaVersion": 2, "mediaType": media_type, "layers": [{"digest": layer, "size": 1}]}
            ecr.put_image(repositoryName=repository, imageTag=tag, imageManifest=json.dumps(manifest))

    def ensure_secrets(self) -> None:
        """`/name` is an SSM parameter, any other name a secret; a JSON key in a reference is put into the secret."""
        keys_of_secret: dict[str, set[str]] = {}
        for service in self.environment.services:
            for _, container in service.containers():
                references = [str(each.get("valueFrom")) for each in listing(container.get("secrets"))]
                references += [
                    str(value.get("valueFrom")) if isinstance(value, dict) else str(value)
                    for value in mapping(container["_overlay"].get("secrets")).values()
                ]
                for reference in references:
                    self._ensure_secret(reference, keys_of_secret)
        secrets = self.client("secretsmanager")
        for name, keys in keys_of_secret.items():
            value = json.dumps({key: "emulated" for key in sorted(keys)}) if keys else "emulated"
            try:
                secrets.create_secret(Name=name, SecretString=value)
            except secrets.exceptions.ResourceExistsException:
                pass

    def _ensure_secret(self, reference: str, keys_of_secret: dict[str, set[str]]) -> None:
        if "${" in reference or reference == "None":
            return
        parameter = reference if reference.startswith("/") else None
        if ":ssm:" in reference:
            parameter = reference.split(":parameter", 1)[-1]
        if parameter:
            ssm = self.client("ssm")
            try:
                ssm.put_parameter(Name=parameter, Value="emulated", Type="SecureString")
            except ssm.exceptions.ParameterAlreadyExists:
                pass
            return
        if reference.startswith("arn:"):
            parts = reference.split(":")
            name, rest = re.sub(r"-\w{6}$", "", parts[6]), parts[7:]
        else:
            name, *rest = reference.split(":")
        keys = keys_of_secret.setdefault(name, set())
        keys.update(key for key in rest[:1] if key)

    # Cloud Map

    def ensure_namespaces(self) -> None:
        """A private DNS namespace for each `discovery`, an HTTP one for each Service Connect configuration."""
        cloud_map = self.client("servicediscovery")
        existing = {namespace["Name"] for namespace in cloud_map.list_namespaces()["Namespaces"]}
        private = [
            each.get("namespace")
            for document in self._documents()
            for each in environment_files.named(document.get("discovery"), single="namespace")
        ]
        connect = [
            mapping(mapping(service.document.get("service")).get("serviceConnectConfiguration")).get("namespace")
            for service in self.environment.services
        ]
        for name, is_private in [*((name, True) for name in private), *((name, False) for name in connect)]:
            if not name or str(name) in existing or str(name).startswith("arn:"):
                continue
            existing.add(str(name))
            if is_private:
                cloud_map.create_private_dns_namespace(Name=str(name), Vpc=self.vpc)
            else:
                cloud_map.create_http_namespace(Name=str(name))


def _repository_and_tag(image: str, account: str) -> tuple[str, str]:
    match = ECR_IMAGE.match(image)
    if match:
        return (match.group(3), match.group(4)) if match.group(1) == account else ("", "")
    # A tag that only the product can resolve (${git.tag}) still names its repository.
    prefix = re.match(rf"^{account}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/([^:@$]+)", image)
    return (prefix.group(1), "") if prefix else ("", "")


def _tags(resource: str, tags: dict[str, str]) -> list[Document]:
    return [{"ResourceType": resource, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


def main() -> int:
    parser = argparse.ArgumentParser(description="Fill the emulated account for an environment.")
    parser.add_argument("environment", type=Path)
    arguments = parser.parse_args()
    for variable in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ECS"):
        if not os.environ.get(variable, "").startswith("http://127.0.0.1:"):
            sys.exit(f"prepare: {variable} does not name an emulator on this machine; run it under tests/emulator/run")
    account = Account(environment_files.read(arguments.environment))
    try:
        account.prepare()
    except ClientError as error:
        sys.exit(f"prepare: {arguments.environment}: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
