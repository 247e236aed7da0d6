"""ministack for ECS, on 127.0.0.1, with the gaps repaired that a client of the real ECS would fall into.

    DOCKER_HOST=tcp://127.0.0.1:... DRIFTLESS_EMULATOR_MOTO=http://127.0.0.1:... python ecs_server.py PORT

ministack brings the API and the scheduler that starts and stops tasks (through docker_engine.py). Around it:

    ecs_services.py             services: refusals, merging, dropped fields, paging, tags
    ecs_service_fields.py       the rules for a service's fields: defaults, merging, what starts a deployment
    ecs_service_deployments.py  service deployments and revisions
    ecs_task_definitions.py     task definitions: refusals, defaults, order, paging, tags
    ecs_tasks.py                RunTask's idempotency; secrets
    ecs_rollouts.py             inside the scheduler: targets, rollout states, events
    ledger.py                   one line for every request
"""

from __future__ import annotations

import contextvars
import copy
import os
import sys
from typing import Any, Callable

# ministack reads these when it is imported; by itself it listens on every interface.
os.environ.setdefault("BIND_HOST", "127.0.0.1")
if __name__ == "__main__":
    os.environ["GATEWAY_PORT"] = sys.argv.pop(1)

import ecs_rollouts  # noqa: E402
import ecs_service_deployments  # noqa: E402
import ecs_services  # noqa: E402
import ecs_task_definitions  # noqa: E402
import ecs_tasks  # noqa: E402
import ledger  # noqa: E402
import ministack.app  # noqa: E402
from ecs_common import AwsError, Document  # noqa: E402
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response  # noqa: E402
from ministack.services import ecs  # noqa: E402

Answer = tuple[int, dict[str, str], bytes]

REPAIRED: dict[str, Callable[[Document], Document]] = {
    "CreateService": ecs_services.create,
    "DeleteService": ecs_services.delete,
    "DescribeServices": ecs_services.describe,
    "ListServices": ecs_services.list_arns,
    "UpdateService": ecs_services.update,
    "DescribeServiceDeployments": ecs_service_deployments.describe,
    "DescribeServiceRevisions": ecs_service_deployments.describe_revisions,
    "ListServiceDeployments": ecs_service_deployments.list_briefs,
    "DeregisterTaskDefinition": ecs_task_definitions.deregister,
    "DescribeTaskDefinition": ecs_task_definitions.describe,
    "ListTaskDefinitions": ecs_task_definitions.list_arns,
    "RegisterTaskDefinition": ecs_task_definitions.register,
    "RunTask": ecs_tasks.run,
}

_user_agent: contextvars.ContextVar[str] = contextvars.ContextVar("user_agent", default="")


def repair_requests() -> None:
    """Put REPAIRED and the ledger between ministack's front and its handlers.

    ministack's scheduler calls its own functions (`_run_task`, `_stop_task`) directly and is not affected.
    """
    dispatch_original: Callable[[str, Document], Answer] = ecs._dispatch_action
    handle_original = ecs.handle_request

    def dispatch(action: str, request: Document) -> Answer:
        user_agent, received = _user_agent.get(), copy.deepcopy(request)
        status = 500
        try:
            answer = answer_repaired(action, request) or dispatch_original(action, request)
            status = answer[0]
            return answer
        finally:
            ledger.record("ecs", action, get_account_id(), received, status, region=get_region(), user_agent=user_agent)

    async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
        _user_agent.set(next((value for key, value in headers.items() if key.lower() == "user-agent"), ""))
        return await handle_original(method, path, headers, body, query)

    ecs._dispatch_action = dispatch
    ecs.handle_request = handle


def answer_repaired(action: str, request: Document) -> Answer | None:
    repaired = REPAIRED.get(action)
    if repaired is None:
        return None
    try:
        answer: Answer = json_response(repaired(request))
    except AwsError as error:
        answer = error_response_json(error.code, error.message, 400)
    return answer


if __name__ == "__main__":
    ecs_rollouts.install()
    repair_requests()
    ministack.app.main()
