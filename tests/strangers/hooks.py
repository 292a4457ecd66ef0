"""What schemathesis is told about this API beside its contract."""

import datetime
import itertools
import os
import random

import requests
import schemathesis

# Reasons that a schema can state: a request that keeps the schema must never meet them.
OF_SHAPE = {"required", "unknown", "duplicate"}
KINDS_OF_SHAPE = {"/problems/malformed-body", "/problems/unsupported-media-type", "/problems/payload-too-large"}


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """A stream is described as the text that it is; the tester takes it apart, and holds each event to the schema.
    A range that cannot be read is passed over, however long it is (RFC 9110 section 14.2)."""
    for parameter in raw_schema["paths"]["/documents/{document_id}/content"]["get"]["parameters"]:
        if parameter.get("name") in ("Range", "If-Range"):
            parameter["schema"].pop("maxLength", None)
    answers = raw_schema["paths"]["/event-stream"]["get"]["responses"]["200"]
    answers["content"]["text/event-stream"].pop("schema")


@schemathesis.check
def described_shape(ctx, response, case):
    """A request that keeps the schema is not refused for its shape: else the contract leaves something out."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in (400, 413, 415, 422):
        return
    problem = response.json()
    if response.status_code == 415 and case.operation.path == "/documents":
        # What a file is, its bytes say, and no schema.
        return
    codes = {error["code"] for error in problem.get("errors", [])}
    assert problem["type"] not in KINDS_OF_SHAPE and not codes & OF_SHAPE, (
        f"The schema allows this request, the server refuses its shape: {problem['type']} {sorted(codes)}"
    )


@schemathesis.check
def refusals_are_problems(ctx, response, case):
    """Every refusal says of itself what its status says, and names the request (RFC 9457)."""
    if response.status_code < 400 or case.method == "HEAD":
        return
    assert response.headers["content-type"][0].startswith("application/problem+json"), response.headers
    problem = response.json()
    assert problem["status"] == response.status_code, problem
    assert problem["type"].startswith("/problems/"), problem
    assert problem["instance"] == "urn:uuid:" + response.headers["request-id"][0], problem


def free_times(base):
    """Some free times of every service, as members of a booking."""

    def items(path, **query):
        return requests.get(base + path, params=query, timeout=20).json().get("items", [])

    today = datetime.date.today()
    month = {"from": today.isoformat(), "to": (today + datetime.timedelta(days=30)).isoformat()}
    found = []
    for service in items("/appointment-services", limit=100):
        for office in items(f"/appointment-services/{service['id']}/offices"):
            for calendar in office["calendars"]:
                asked = {"service_id": service["id"], **month}
                free = [day["date"] for day in items(f"/calendars/{calendar['id']}/availabilities", **asked) if day["free"]]
                for date in free[:5]:
                    slots = items(f"/calendars/{calendar['id']}/slots", service_id=service["id"], date=date)
                    found += [
                        {"service_id": service["id"], "calendar_id": calendar["id"], "starts_at": slot["starts_at"]}
                        for slot in slots[:5]
                    ]
    return found


TIMES = None
PERSON = {"given_name": "Anna", "family_name": "Prova", "email": "anna.prova@example.org"}
WALKS = itertools.count()
FILES = itertools.count()
RUN = f"{random.SystemRandom().getrandbits(64):016x}"


@schemathesis.hook
def before_call(ctx, case, **kwargs):
    """Lets every second well-formed order name a time that is free, a question a service that is given there.

    Made-up ids would be refused every time, and nothing that only a real booking leads to would ever be reached.
    """
    global TIMES
    if case.operation.path == "/event-stream" and case.method == "GET" and "max_seconds" not in (case.query or {}):
        # It would go on for a quarter of an hour.
        case.query = {**(case.query or {}), "max_seconds": 0}
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if case.operation.path == "/documents" and case.method == "POST" and "Idempotency-Key" in (case.headers or {}):
        # A key that was used before is answered with what it made then, and that may have been deleted.
        case.headers["Idempotency-Key"] = f"{RUN}-{next(FILES)}"
    orders = case.operation.path in ("/appointments", "/holds") and case.method == "POST"
    asks = "{calendar_id}" in case.operation.path and isinstance(case.query, dict) and "service_id" in case.query
    if not (orders or asks) or next(WALKS) % 2:
        return
    if TIMES is None:
        TIMES = free_times(os.environ["STRANGERS_BASE_URL"])
        random.Random(1).shuffle(TIMES)
        TIMES = itertools.cycle(TIMES) if TIMES else iter(())
    time = next(TIMES, None)
    if time is None:
        return
    if orders and isinstance(case.body, dict):
        case.body.update(time)
        case.body.pop("hold_id", None)
        case.body.pop("persons", None)
        if "applicant" in case.body:
            case.body["applicant"] = dict(PERSON)
        case.headers["Idempotency-Key"] = f"stranger-{next(WALKS):024d}-{time['starts_at']}"[:64]
    elif asks:
        case.path_parameters["calendar_id"] = time["calendar_id"]
        case.query["service_id"] = time["service_id"]
        case.query.pop("persons", None)
