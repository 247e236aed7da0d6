"""Secrets Manager: a version was made when it was made, not when somebody asks."""

from __future__ import annotations

import json
from typing import Any

import moto.secretsmanager.responses as responses
from moto.secretsmanager.exceptions import SecretNotFoundException
from moto_repairs import install


def repair() -> None:
    install(responses.SecretsManagerResponse, [list_secret_version_ids])


def list_secret_version_ids(self: Any) -> str:
    secret_id = self._get_param("SecretId", if_none="")
    if secret_id not in self.backend.secrets:
        raise SecretNotFoundException()
    secret = self.backend.secrets[secret_id]
    versions = [
        {"VersionId": number, "VersionStages": version["version_stages"], "CreatedDate": version["createdate"]}
        for number, version in secret.versions.items()
        if version["version_stages"] or self._get_param("IncludeDeprecated")
    ]
    return json.dumps({"ARN": secret.arn, "Name": secret.name, "Versions": versions})
