"""Books an appointment with nothing but the client that openapi-python-client made of the contract.

    python book.py http://127.0.0.1:8080 sportello-demo/credentials.json

The module `client` is the generated one. What a person does at a counter is done here: a need in words, the
services that fit, a calendar, a free time, a booking, the booking read back, the booking called off.
"""

import datetime
import json
import sys
import uuid

from client import AuthenticatedClient, Client
from client.api.appointments import cancel_appointment, create_appointment, list_my_appointments, show_appointment
from client.api.booking import list_appointment_services, list_service_offices
from client.api.calendars import list_availabilities, list_slots
from client.models import Appointment, Cancellation, NewApplicant, NewAppointment, Problem
from client.types import UNSET, Unset

NEED = "carta d'identità"


def got(answer):
    """What was asked for, or the refusal as an error."""
    if isinstance(answer, Problem) or answer is None:
        raise SystemExit(f"refused: {answer}")
    return answer


def pages(read, **filters):
    """All items of a list, page by page."""
    after = UNSET
    while True:
        page = got(read(limit=5, after=after, **filters))
        yield from page.items
        after = page.next_
        if isinstance(after, Unset) or after is None:
            return


def free_time(client, service):
    """The first calendar of the offices that give this service, and its first free time."""
    today = datetime.date.today()
    month = {"from_": today, "to": today + datetime.timedelta(days=30)}
    for office in got(list_service_offices.sync(service.id, client=client)).items:
        for calendar in office.calendars:
            days = got(list_availabilities.sync(calendar.id, client=client, service_id=service.id, **month))
            for day in (day for day in days.items if day.free):
                slots = got(list_slots.sync(calendar.id, client=client, service_id=service.id, date=day.date))
                for slot in slots.items:
                    return calendar, slot
    raise SystemExit(f"no free time for {service.name}")


def main(server, credentials):
    with open(credentials, encoding="utf-8") as file:
        credentials = json.load(file)
    base_url = f"{server}/{credentials['tenant']}/v1"
    token = credentials["tokens"]["citizen_a"]
    citizen = AuthenticatedClient(base_url=base_url, token=token, raise_on_unexpected_status=True)
    anyone = Client(base_url=base_url, headers={"Accept-Language": "it"}, raise_on_unexpected_status=True)

    services = list(pages(lambda **filters: list_appointment_services.sync(client=anyone, **filters)))
    service = next(service for service in services if NEED in service.name.lower())
    calendar, slot = free_time(anyone, service)
    print(f"    {service.name}: {calendar.name}, {slot.starts_at}")

    order = NewAppointment(
        service_id=service.id,
        calendar_id=calendar.id,
        starts_at=slot.starts_at,
        applicant=NewApplicant(given_name="Anna", family_name="Prova", email="anna.prova@example.org"),
    )
    key = str(uuid.uuid4())
    booked = got(create_appointment.sync(client=citizen, body=order, idempotency_key=key))
    assert isinstance(booked, Appointment), booked
    again = create_appointment.sync_detailed(client=citizen, body=order, idempotency_key=key)
    assert again.parsed.id == booked.id and again.headers["Idempotency-Replayed"] == "true", again

    read = show_appointment.sync_detailed(booked.id, client=citizen)
    assert got(read.parsed).code == booked.code and read.headers["ETag"], read
    mine = pages(lambda **filters: list_my_appointments.sync(client=citizen, **filters))
    assert any(appointment.id == booked.id for appointment in mine), "the booking is not among the citizen's own"

    cancelled = got(cancel_appointment.sync(booked.id, client=citizen, body=Cancellation()))
    assert cancelled.state.value == "cancelled", cancelled
    print(f"    booked {booked.code} with the generated client, read it back and called it off")


if __name__ == "__main__":
    main(*sys.argv[1:])
