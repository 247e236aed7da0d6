"""ECR of a team whose builds are quicker than its rollouts: an image that is asked for has been pushed by then.

Only in repositories that exist. What is done about an image that is not there, and about a tag that moves, is tested on
the simulated account.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import moto.ecr.responses as responses
from moto_repairs import install

MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
answered_by_moto = responses.ECRResponse.batch_get_image


def repair() -> None:
    install(responses.ECRResponse, [batch_get_image])


def batch_get_image(self: Any) -> Any:
    name = self._get_param("repositoryName")
    repository = self.ecr_backend.repositories.get(name)
    for tag in (image.get("imageTag") for image in self._get_param("imageIds") or []):
        if repository and tag and not any(tag in image.image_tags for image in repository.images):
            layer = "sha256:" + hashlib.sha256(f"{name}:{tag}".encode()).hexdigest()
            manifest = {"schemaVersion": 2, "mediaType": MEDIA_TYPE, "layers": [{"digest": layer, "size": 1}]}
            self.ecr_backend.put_image(name, json.dumps(manifest), tag)
    return answered_by_moto(self)
