"""Roles and bindings: what they allow, who may grant, whose a token is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from api.conftest import PODS, Server

from labs.api.client import Client
from labs.api.rbac.rules import Inquiry, allows, uncovered
from labs.api.rest.message import Request, Response
from labs.api.users import ADMIN, AUTHENTICATED, User
from labs.controlplane.clusterrole_aggregation import ClusterRoleAggregation

GROUP = "/apis/rbac.authorization.k8s.io/v1"
IN_SHOP = f"{GROUP}/namespaces/shop"
REVIEWS = "/apis/authorization.k8s.io/v1"
STUDENT = User("student", ("students", AUTHENTICATED))
READ_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}


def ask(server: Server, user: User, method: str, target: str, body: Any = None, **headers: str) -> Response:
    raw = b"" if body is None else json.dumps(body).encode()
    answer = server.rest.handle(Request.to(method, target, raw, headers, user))
    assert isinstance(answer, Response)
    return answer


def grant(server: Server, *rules: dict[str, Any]) -> None:
    server.expect(201, "POST", f"{IN_SHOP}/roles", {"metadata": {"name": "granted"}, "rules": list(rules)})
    bind(server, "granted", "Role", {"kind": "User", "name": "student"})


def bind(server: Server, role: str, kind: str, subject: dict[str, str]) -> None:
    body = {
        "metadata": {"name": role},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [subject],
    }
    server.expect(201, "POST", f"{IN_SHOP}/rolebindings", body)


@pytest.mark.parametrize(
    ("rule", "inquiry", "is_allowed"),
    [
        (READ_PODS, Inquiry("get", "", "pods"), True),
        (READ_PODS, Inquiry("watch", "", "pods"), False),
        (READ_PODS, Inquiry("get", "", "pods", "log"), False),
        (READ_PODS, Inquiry("get", "apps", "pods"), False),
        ({**READ_PODS, "resources": ["*/log"]}, Inquiry("get", "", "pods", "log"), True),
        ({**READ_PODS, "resources": ["*"]}, Inquiry("get", "", "pods", "log"), True),
        ({**READ_PODS, "resourceNames": ["a"]}, Inquiry("get", "", "pods", name="a"), True),
        ({**READ_PODS, "resourceNames": ["a"]}, Inquiry("list", "", "pods"), False),
        ({"nonResourceURLs": ["/healthz/*"], "verbs": ["get"]}, Inquiry("get", path="/healthz/etcd"), True),
        ({"nonResourceURLs": ["/healthz"], "verbs": ["get"]}, Inquiry("get", path="/metrics"), False),
    ],
)
def test_a_rule_allows_what_it_names(rule: Any, inquiry: Inquiry, is_allowed: bool) -> None:
    assert allows(rule, inquiry) == is_allowed


def test_a_wildcard_covers_and_a_named_right_does_not_cover_all() -> None:
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    assert uncovered([everything], [READ_PODS]) == []
    named = {**READ_PODS, "resourceNames": ["a"]}
    assert len(uncovered([named], [READ_PODS])) == 2
    assert uncovered([READ_PODS], [named]) == []


def test_a_user_may_what_a_role_of_the_namespace_allows(server: Server) -> None:
    assert ask(server, STUDENT, "GET", PODS).status == 403
    grant(server, READ_PODS)
    assert ask(server, STUDENT, "GET", PODS).status == 200
    assert ask(server, STUDENT, "GET", "/api/v1/namespaces/default/pods").status == 403
    assert ask(server, STUDENT, "DELETE", f"{PODS}/a").status == 403


def test_discovery_is_open_to_all_who_are_known(server: Server) -> None:
    assert ask(server, STUDENT, "GET", "/api/v1").status == 200
    answer = ask(server, User("stranger", ()), "GET", "/api/v1").json()
    assert answer["message"] == 'forbidden: User "stranger" cannot get path "/api/v1"'


def test_an_administrator_acts_as_somebody_else_and_a_student_does_not(server: Server) -> None:
    headers = {"impersonate-user": "system:serviceaccount:shop:default"}
    who = ask(server, User(), "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, **headers).json()
    groups = ["system:serviceaccounts", "system:serviceaccounts:shop", AUTHENTICATED]
    assert who["status"]["userInfo"]["groups"] == groups
    refused = ask(server, STUDENT, "GET", PODS, **{"impersonate-user": "teacher"}).json()
    assert refused["message"] == (
        'users "teacher" is forbidden: User "student" cannot impersonate resource "users" '
        'in API group "" at the cluster scope'
    )


def test_reviews_name_the_binding(server: Server) -> None:
    grant(server, READ_PODS)
    attributes = {"verb": "list", "resource": "pods", "namespace": "shop"}
    spec = {"resourceAttributes": attributes, "user": "student"}
    review = server.expect(201, "POST", f"{REVIEWS}/subjectaccessreviews", {"spec": spec})
    reason = 'RBAC: allowed by RoleBinding "granted/shop" of Role "granted" to User "student"'
    assert review["status"] == {"allowed": True, "reason": reason}
    local = f"{REVIEWS}/namespaces/shop/localsubjectaccessreviews"
    body = {"metadata": {"namespace": "shop"}, "spec": {**spec, "user": "other"}}
    assert server.expect(201, "POST", local, body)["status"] == {"allowed": False}
    server.expect(422, "POST", f"{REVIEWS}/subjectaccessreviews", {"spec": {"resourceAttributes": attributes}})


def test_own_rules_are_listed(server: Server) -> None:
    grant(server, READ_PODS)
    body = {"spec": {"namespace": "shop"}}
    status = ask(server, STUDENT, "POST", f"{REVIEWS}/selfsubjectrulesreviews", body).json()["status"]
    assert {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]} in status["resourceRules"]
    assert any("/healthz" in rule["nonResourceURLs"] for rule in status["nonResourceRules"])


def test_nobody_binds_a_role_that_holds_more_than_he_does(server: Server) -> None:
    grant(server, {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["rolebindings"], "verbs": ["create"]})
    body = {
        "metadata": {"name": "more"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "User", "name": "student"}],
    }
    refused = ask(server, STUDENT, "POST", f"{IN_SHOP}/rolebindings", body).json()
    assert refused["reason"] == "Forbidden"
    assert '{APIGroups:["*"], Resources:["*"], Verbs:["*"]}\n{NonResourceURLs:["*"], Verbs:["*"]}' in refused["message"]


def test_the_verb_bind_lets_a_named_role_be_bound(server: Server) -> None:
    group = ["rbac.authorization.k8s.io"]
    grant(
        server,
        {"apiGroups": group, "resources": ["rolebindings"], "verbs": ["create"]},
        {"apiGroups": group, "resources": ["clusterroles"], "verbs": ["bind"], "resourceNames": ["view"]},
    )
    body = {"metadata": {"name": "v"}, "roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": []}
    assert ask(server, STUDENT, "POST", f"{IN_SHOP}/rolebindings", body).status == 201


def test_what_a_binding_refers_to_never_changes(server: Server) -> None:
    grant(server, READ_PODS)
    live = server.expect(200, "GET", f"{IN_SHOP}/rolebindings/granted")
    changed = {**live, "roleRef": {**live["roleRef"], "name": "other"}}
    refused = server.expect(422, "PUT", f"{IN_SHOP}/rolebindings/granted", changed)
    assert refused["details"]["causes"][0]["field"] == "roleRef"


def test_a_rule_without_verbs_and_resources_is_refused(server: Server) -> None:
    body = {"metadata": {"name": "bad"}, "rules": [{"apiGroups": [""]}, {"nonResourceURLs": ["/x"], "verbs": ["get"]}]}
    refused = server.expect(422, "POST", f"{IN_SHOP}/roles", body)
    fields = [cause["field"] for cause in refused["details"]["causes"]]
    assert fields == ["rules[0].verbs", "rules[0].resources", "rules[1].nonResourceURLs"]


def test_view_is_the_sum_of_what_is_labelled_for_it(server: Server) -> None:
    ClusterRoleAggregation(Client(server.api, "clusterrole-aggregation-controller")).start()
    metadata = {"name": "see-crds", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}}
    rule = {"apiGroups": ["shop.example"], "resources": ["carts"], "verbs": ["get"]}
    server.expect(201, "POST", f"{GROUP}/clusterroles", {"metadata": metadata, "rules": [rule]})
    server.run(1)
    view = server.expect(200, "GET", f"{GROUP}/clusterroles/view")
    assert rule in view["rules"]
    assert len(view["rules"]) > 5
    bind(server, "view", "ClusterRole", {"kind": "Group", "name": "students"})
    assert ask(server, STUDENT, "GET", PODS).status == 200
    assert ask(server, STUDENT, "GET", "/api/v1/namespaces/shop/secrets").status == 403


def test_a_token_stands_for_its_account_until_it_expires(server: Server) -> None:
    path = "/api/v1/namespaces/shop/serviceaccounts/default/token"
    made = server.expect(201, "POST", path, {"spec": {"expirationSeconds": 600}})
    token = made["status"]["token"]
    user = server.rest.tokens.authenticate(token)
    assert user is not None
    assert user.name == "system:serviceaccount:shop:default"
    reviews = "/apis/authentication.k8s.io/v1/tokenreviews"
    assert server.expect(201, "POST", reviews, {"spec": {"token": token}})["status"]["authenticated"]
    assert server.rest.tokens.authenticate(token[:-2]) is None
    assert server.rest.tokens.authenticate("") is None
    server.run(601)
    assert server.rest.tokens.authenticate(token) is None


def test_a_token_dies_with_the_pod_that_it_is_bound_to(server: Server) -> None:
    server.pod("web")
    path = "/api/v1/namespaces/shop/serviceaccounts/default/token"
    bound = {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "web"}}
    token = server.expect(201, "POST", path, {"spec": bound})["status"]["token"]
    user = server.rest.tokens.authenticate(token)
    assert user is not None
    assert user.extra["authentication.kubernetes.io/pod-name"] == ["web"]
    server.expect(200, "DELETE", f"{PODS}/web")
    assert server.rest.tokens.authenticate(token) is None


def test_a_token_lives_for_ten_minutes_at_least(server: Server) -> None:
    path = "/api/v1/namespaces/shop/serviceaccounts/default/token"
    refused = server.expect(422, "POST", path, {"spec": {"expirationSeconds": 60}})
    assert refused["message"].endswith("Invalid value: 60: may not specify a duration less than 10 minutes")


def test_a_token_that_the_server_was_given_is_known_too(server: Server) -> None:
    server.rest.tokens.admit("secret", ADMIN)
    reviews = "/apis/authentication.k8s.io/v1/tokenreviews"
    answer = server.expect(201, "POST", reviews, {"spec": {"token": "secret"}})["status"]
    assert (answer["authenticated"], answer["user"]["username"]) == (True, "admin")
    assert not server.expect(201, "POST", reviews, {"spec": {"token": "secrets"}})["status"].get("authenticated")
