"""A CloudWatch on its own clock, for each test."""

from __future__ import annotations

import botocore.loaders
import botocore.model
import pytest
from cloudwatch_client import Cloud


@pytest.fixture(scope="session")
def model() -> botocore.model.ServiceModel:
    description = botocore.loaders.Loader().load_service_model("cloudwatch", "service-2")
    return botocore.model.ServiceModel(description)


@pytest.fixture
def cloud(model: botocore.model.ServiceModel) -> Cloud:
    return Cloud(model)
