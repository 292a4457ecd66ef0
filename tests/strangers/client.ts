// What a web page of the Comune would write with the types that openapi-typescript makes of the contract. It is
// compiled, strictly, and not run: a member that is misspelt here, or renamed there, is an error.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

type Appointment = components["schemas"]["Appointment"];
type Problem = components["schemas"]["Problem"];

const api = createClient<paths>({ baseUrl: "http://127.0.0.1:8080/bugliano/v1" });

function told(problem: Problem): Error {
  const fields = problem.errors?.map((error) => `${error.pointer}: ${error.detail}`) ?? [];
  return new Error([problem.type, problem.title, ...fields].join("\n"));
}

export async function book(need: string, token: string): Promise<Appointment> {
  const services = await api.GET("/appointment-services", { params: { query: { limit: 100 } } });
  if (services.error) throw told(services.error);
  const service = services.data.items.find((one) => one.name.toLowerCase().includes(need));
  if (!service) throw new Error(`nothing is called ${need}`);

  const offices = await api.GET("/appointment-services/{service_id}/offices", {
    params: { path: { service_id: service.id } },
  });
  const calendar = offices.data?.items[0]?.calendars[0];
  if (!calendar) throw new Error("given nowhere");

  const days = await api.GET("/calendars/{calendar_id}/availabilities", {
    params: { path: { calendar_id: calendar.id }, query: { service_id: service.id } },
  });
  const day = days.data?.items.find((one) => one.free > 0);
  if (!day) throw new Error("nothing is free");
  const slots = await api.GET("/calendars/{calendar_id}/slots", {
    params: { path: { calendar_id: calendar.id }, query: { service_id: service.id, date: day.date } },
  });
  const slot = slots.data?.items[0];
  if (!slot) throw new Error("somebody was faster");

  const booked = await api.POST("/appointments", {
    params: { header: { "Idempotency-Key": crypto.randomUUID() } },
    headers: { Authorization: `Bearer ${token}` },
    body: {
      service_id: service.id,
      calendar_id: calendar.id,
      starts_at: slot.starts_at,
      applicant: { given_name: "Anna", family_name: "Prova", email: "anna.prova@example.org" },
    },
  });
  if (booked.error) throw told(booked.error);
  const state: "confirmed" | "cancelled" | string = booked.data.state;
  if (state === "cancelled") throw new Error("at once?");
  return booked.data;
}

// @ts-expect-error: a member that the contract does not know must not compile.
export const misspelt: keyof components["schemas"]["NewAppointment"] = "start_at";
