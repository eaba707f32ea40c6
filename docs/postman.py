"""Turns what openapi-to-postmanv2 makes of openapi.yaml into the collection that people use: `make postman`.

The converter knows shapes and no story. Here the collection gets its address and accounts, hands the token and the ids
of one answer on to the next request, and loses what differs from run to run.
"""

import json
import sys
from pathlib import Path
from typing import Any

VARIABLES = {
    "baseUrl": "http://127.0.0.1:8000",
    "email": "student@example.com",
    "password": "lyceum-demo-2026",
    "accessToken": "",
    "refreshToken": "",
    "courseId": "",
    "lessonId": "",
    "paymentId": "",
    "refundId": "",
    "reviewId": "",
    "attachmentId": "",
    "categoryId": "",
    "userId": "",
    "couponId": "",
    "provider": "google",
    "socialAccountId": "",
}

# What `:id` stands for, by the last word of the path that is no parameter.
IDS = {
    "courses": "courseId",
    "enrollment": "courseId",
    "subscription": "courseId",
    "lessons": "lessonId",
    "attachments": "attachmentId",
    "reviews": "reviewId",
    "categories": "categoryId",
    "users": "userId",
    "coupons": "couponId",
    "accounts": "socialAccountId",
}
PARENTS = {"course_pk": "courseId", "lesson_pk": "lessonId", "refund_id": "refundId", "provider": "provider"}

# Bodies of one request; of all others the schema's example, or else what RESOURCES says.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "api/auth/token/"): {"email": "{{email}}", "password": "{{password}}"},
    ("POST", "api/auth/token/refresh/"): {"refresh": "{{refreshToken}}"},
    ("POST", "api/auth/token/verify/"): {"token": "{{accessToken}}"},
    ("POST", "api/auth/social/:provider/"): {"code": "", "state": ""},
    ("POST", "api/auth/social/:provider/link/"): {"code": "", "state": ""},
    ("POST", "api/auth/logout/"): {"refresh": "{{refreshToken}}"},
    ("POST", "api/payments/"): {"paid_course": "{{courseId}}", "payment_method": "card"},
    ("POST", "api/payments/preview/"): {"paid_course": "{{courseId}}", "coupon": "WELCOME10"},
    ("POST", "api/courses/toggle-subscribe/"): {"course_id": "{{courseId}}"},
    ("POST", "api/lessons/create-checkout-session/"): {"course_id": "{{courseId}}"},
}

# By the last word of the path that is no parameter: bodies of resources that have no example in the schema, where the
# converter would make up another one each time.
RESOURCES: dict[str, dict[str, Any]] = {
    "attachments": {"title": "A talk on the subject", "url": "https://www.youtube.com/watch?v=dQw4w9WgXcQ"},
    "categories": {"slug": "music", "title": "Music", "order": 10},
    "coupons": {"code": "SPRING15", "percent": "15.00", "max_uses": 100, "max_uses_per_user": 1},
    "reviews": {"rating": 5, "text": "Clear and to the point."},
    "users": {"first_name": "Anna", "city": "Kazan"},
    "me": {"first_name": "Anna", "city": "Kazan"},
}

# Only Stripe can send it: the signature is its own.
LEFT_OUT = {"api/payments/webhook/"}

KEEP_TOKENS = [
    "if (pm.response.code === 200) {",
    "    const pair = pm.response.json();",
    "    pm.collectionVariables.set('accessToken', pair.access);",
    "    pm.collectionVariables.set('refreshToken', pair.refresh);",
    "}",
]
SCRIPTS: dict[tuple[str, str], list[str]] = {
    ("POST", "api/auth/token/"): KEEP_TOKENS,
    ("POST", "api/auth/token/refresh/"): KEEP_TOKENS,
    ("GET", "api/courses/"): [
        "if (pm.response.code === 200) {",
        "    const courses = pm.response.json().results;",
        "    const course = courses.find(c => Number(c.price) > 0 && !c.is_enrolled) || courses[0];",
        "    if (course) pm.collectionVariables.set('courseId', course.id);",
        "    if (course && course.lessons.length) pm.collectionVariables.set('lessonId', course.lessons[0].id);",
        "}",
    ],
    ("POST", "api/payments/"): [
        "if (pm.response.code < 300) pm.collectionVariables.set('paymentId', pm.response.json().payment_id);",
    ],
    ("GET", "api/payments/:id/"): [
        "if (pm.response.code === 200 && pm.response.json().refunds.length) {",
        "    pm.collectionVariables.set('refundId', pm.response.json().refunds[0].id);",
        "}",
    ],
    ("GET", "api/users/me/"): [
        "if (pm.response.code === 200) pm.collectionVariables.set('userId', pm.response.json().id);",
    ],
}


def main(source: str, target: str) -> None:
    made = json.loads(Path(source).read_text(encoding="utf-8"))
    collection = {
        "info": {
            "name": made["info"]["name"],
            "description": "Made from openapi.yaml by `make postman`. Send *Log in* first: it keeps the tokens. "
            "*The catalogue* keeps the id of a course that you have not bought.",
            "schema": made["info"]["schema"],
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{accessToken}}", "type": "string"}]},
        "variable": [{"key": key, "value": value} for key, value in VARIABLES.items()],
        "item": [_item(item) for item in made["item"]],
    }
    text = json.dumps(collection, ensure_ascii=False, indent=1)
    Path(target).write_text(text + "\n", encoding="utf-8")


def _item(made: dict[str, Any]) -> dict[str, Any]:
    """A folder or a request, without ids of its own and without example answers."""
    if "item" in made:
        return {"name": made["name"], "item": [_item(child) for child in made["item"] if not _is_left_out(child)]}
    request = made["request"]
    path = _path(request)
    key = (request["method"], path)
    for variable in request["url"].get("variable", []):
        name = PARENTS.get(variable["key"]) or _id_in(path)
        variable.pop("description", None)
        variable["value"] = f"{{{{{name}}}}}"
    for parameter in request["url"].get("query", []):
        parameter["value"] = ""
    for header in request.get("header", []):
        if header["key"] == "Accept":
            header["value"] = "application/json"
    body = BODIES.get(key) or (RESOURCES.get(_last_word(path)) if "body" in request else None)
    if body is not None:
        raw = json.dumps(body, ensure_ascii=False, indent=2)
        request["body"] = {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}
    item = {"name": made["name"], "request": request}
    if key in SCRIPTS:
        item["event"] = [{"listen": "test", "script": {"type": "text/javascript", "exec": SCRIPTS[key]}}]
    return item


def _is_left_out(made: dict[str, Any]) -> bool:
    return "request" in made and _path(made["request"]) in LEFT_OUT


def _path(request: dict[str, Any]) -> str:
    return "/".join(request["url"]["path"]).rstrip("/") + "/"


def _last_word(path: str) -> str:
    return [word for word in path.split("/") if word and not word.startswith(":")][-1]


def _id_in(path: str) -> str:
    """The variable for the `:id` of the path."""
    return "paymentId" if path.startswith("api/payments/") else IDS.get(_last_word(path), "userId")


if __name__ == "__main__":
    main(*sys.argv[1:])
