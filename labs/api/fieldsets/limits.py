"""Bounds of field management. Source: apimachinery pkg/apis/meta/v1/validation, pkg/util/managedfields."""

from typing import Final

MAX_MANAGER_LENGTH: Final = 128
MAX_UPDATE_MANAGERS: Final = 10
