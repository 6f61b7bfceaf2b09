"""`names.json`: apimachinery pkg/util/validation."""

from functools import partial
from typing import Any

from labs.api import names

VECTORS = "names"

RULES: dict[str, names.Rule] = {
    "config_map_key": names.config_map_key,
    "dns1035_label": names.dns1035_label,
    "dns1035_label_prefix": partial(names.as_prefix, names.dns1035_label),
    "dns1123_label": names.dns1123_label,
    "dns1123_subdomain": names.dns1123_subdomain,
    "dns1123_subdomain_prefix": partial(names.as_prefix, names.dns1123_subdomain),
    "env_var_name": names.env_var_name,
    "label_value": names.label_value,
    "percent": names.percent,
    "port_name": names.port_name,
    "qualified_name": names.qualified_name,
    "relaxed_env_var_name": names.relaxed_env_var_name,
}


def test_names_are_refused_in_upstreams_words(case: dict[str, Any]) -> None:
    text = case["in"]["s"]

    assert {rule: RULES[rule](text) for rule in case["expect"]} == case["expect"]
