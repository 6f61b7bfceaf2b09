"""The refusals of CloudWatch, with the codes that go over the wire (botocore cloudwatch 2010-08-01)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from labs.errors import AwsError


def missing(parameter: str) -> AwsError:
    """MissingParameter: a required member is absent."""
    return AwsError("MissingParameter", f"The parameter {parameter} is required.")


def invalid_value(message: str) -> AwsError:
    """InvalidParameterValue with a free text."""
    return AwsError("InvalidParameterValue", message)


def bad_value(value: object, parameter: str) -> AwsError:
    """InvalidParameterValue for one value."""
    return invalid_value(f"The value {value} for parameter {parameter} is invalid.")


def invalid_combination(message: str) -> AwsError:
    """InvalidParameterCombination: members that exclude or need one another."""
    return AwsError("InvalidParameterCombination", message)


def validation(message: str) -> AwsError:
    """ValidationError with a free text."""
    return AwsError("ValidationError", message)


def constraint(value: object, at: str, rule: str) -> AwsError:
    """ValidationError in the form of the service's generated checks."""
    return validation(f"1 validation error detected: Value '{value}' at '{at}' failed to satisfy constraint: {rule}")


def enum(value: object, at: str, allowed: Iterable[str]) -> AwsError:
    """ValidationError for a value outside a closed set."""
    return constraint(value, at, f"Member must satisfy enum value set: [{', '.join(allowed)}]")


def resource_not_found(message: str = "The named resource does not exist.") -> AwsError:
    """ResourceNotFound (404): an alarm or a dashboard."""
    return AwsError("ResourceNotFound", message, 404)


def invalid_next_token() -> AwsError:
    """InvalidNextToken: not a token of this very request."""
    return AwsError("InvalidNextToken", "The NextToken that was specified is invalid.")


def limit_exceeded(message: str) -> AwsError:
    """LimitExceeded: a quota of the account."""
    return AwsError("LimitExceeded", message)


def require(params: Mapping[str, Any], *names: str, prefix: str = "") -> None:
    """Raises MissingParameter for the first of ``names`` that is absent, None or empty."""
    for name in names:
        if params.get(name) in (None, "", []):
            raise missing(prefix + name)


def check_enum(params: Mapping[str, Any], name: str, allowed: Collection[str], at: str | None = None) -> None:
    """Raises ValidationError when ``params[name]`` is there and not one of ``allowed``."""
    value = params.get(name)
    if value is not None and value not in allowed:
        raise enum(value, at or name[0].lower() + name[1:], allowed)


def check_length(params: Mapping[str, Any], name: str, longest: int) -> None:
    """Raises ValidationError when the text or list ``params[name]`` is longer than ``longest``."""
    value = params.get(name)
    if value is not None and len(value) > longest:
        raise constraint(value, name[0].lower() + name[1:], f"Member must have length less than or equal to {longest}")
