"""Check with boto3 that the emulator behaves as the README says it does.

    tests/emulator/run --environment DIR sh -c '"$DRIFTLESS_EMULATOR_PYTHON" tests/emulator/selftest.py DIR'

Every function that begins with `test_` is one check; its name says what AWS does. With DIR, the account that
prepare.py filled is checked too. Prints `N passed, M failed`.
"""

from __future__ import annotations

import subprocess
import sys
import time
import traceback
from pathlib import Path

import boto3
import environment_files
import selftest_cli
import selftest_discovery
import selftest_ecs
import selftest_elbv2
import selftest_running
import selftest_scaling
import selftest_target_groups
from selftest_support import CLUSTER, ec2, ecs, elbv2


def check_prepared(folder: Path) -> None:
    """What the environment names exists, and preparing again adds nothing."""
    environment = environment_files.read(folder)

    def census() -> list[int]:
        return [
            len(ec2.describe_vpcs()["Vpcs"]),
            len(ec2.describe_subnets()["Subnets"]),
            len(elbv2.describe_load_balancers()["LoadBalancers"]),
            len(elbv2.describe_target_groups()["TargetGroups"]),
            len(boto3.client("secretsmanager").list_secrets()["SecretList"]),
            len(boto3.client("servicediscovery").list_namespaces()["Namespaces"]),
        ]

    names = [str(name) for name in environment_files.mapping(environment.document.get("loadBalancers"))]
    balancers = elbv2.describe_load_balancers(Names=names)["LoadBalancers"]
    assert len(balancers) >= len(names)
    assert not elbv2.describe_target_groups()["TargetGroups"], "target groups are the product's to make"
    declared = environment_files.mapping(environment.document.get("loadBalancers"))
    for balancer in balancers:
        made = elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        listeners = environment_files.listing(declared[balancer["LoadBalancerName"]].get("listeners"))
        assert not {each["Port"] for each in made} & {each["port"] for each in listeners}
    clusters = ecs.describe_clusters(clusters=[environment.text("cluster", "default")])["clusters"]
    assert clusters[0]["status"] == "ACTIVE"
    before = census()
    prepare = Path(__file__).with_name("prepare.py")
    subprocess.run([sys.executable, str(prepare), str(folder)], check=True)
    assert census() == before


def main() -> int:
    modules = (
        selftest_ecs,
        selftest_running,
        selftest_elbv2,
        selftest_target_groups,
        selftest_scaling,
        selftest_discovery,
        selftest_cli,
    )
    checks = [check for module in modules for name, check in vars(module).items() if name.startswith("test_")]
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
        checks.insert(0, lambda: check_prepared(folder))
        checks[0].__name__ = "the_prepared_account"
    ecs.create_cluster(clusterName=CLUSTER)
    failed = 0
    for check in checks:
        started = time.monotonic()
        try:
            check()
            print(f"ok      {check.__name__} ({time.monotonic() - started:.1f} s)")
        except Exception:
            failed += 1
            print(f"FAILED  {check.__name__}")
            traceback.print_exc()
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
