//! The words of messages, and those that a Comune uses instead.

use serde_json::json;
use tests::both_databases;

use super::{Posted, address, desk_of, posted, publish};

both_databases!(posted => a_comune_writes_in_its_own_words, words_that_cannot_be_sent_are_refused);

const PATH: &str = "/message-templates/appointment.confirmation/it";

fn words() -> serde_json::Value {
    json!({
        "subject": "La aspettiamo {{ date }}",
        "body": "Gentile {{ given_name }}, la aspettiamo {{ date }} alle {{ time }} in {{ address }}. Codice {{ code }}.\n",
        "html": "<p>Gentile {{ given_name }}, la aspettiamo <strong>{{ date }}</strong>. Codice {{ code }}.</p>",
    })
}

async fn a_comune_writes_in_its_own_words(posted: Option<Posted>) {
    let Some(Posted { server, post }) = posted else { return };
    let (world, desk) = desk_of(&server).await;
    let admin = server.client("admin");
    let kinds = admin.get("/message-templates").await.expect(200);
    let names: Vec<_> = kinds.items().iter().map(|kind| kind["kind"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["appointment.confirmation", "appointment.reminder", "appointment.change", "appointment.cancellation"]
    );
    let product = admin.get(PATH).await.expect(200);
    assert_eq!((product.at("/own"), product.etag().as_str()), (&json!(false), "\"0\""));
    admin.put(PATH, words()).await.problem(428, "precondition-required");
    let own = admin.put(PATH, words()).if_match(product.etag()).await.expect(200);
    assert_eq!((own.at("/own"), own.at("/version")), (&json!(true), &json!(1)));
    admin.put(PATH, words()).if_match(product.etag()).await.problem(412, "version-mismatch");
    assert_eq!(admin.get("/message-templates").await.expect(200).at("/items/0/own_languages"), &json!(["it"]));
    let preview = json!({ "kind": "appointment.confirmation", "language": "it" });
    let preview = admin.post("/message-previews", preview).await.expect(200);
    assert_eq!(preview.text_at("/subject"), "La aspettiamo mercoledì 2 dicembre 2026");
    assert!(preview.text_at("/html").starts_with("<!DOCTYPE html>\n<html lang=\"it\">"), "{preview}");

    let order = desk.order(desk.at(5, 9, 0));
    let to = address(&order);
    let booked = server.anonymous().post("/appointments", order).fresh_key().await.expect(201);
    publish(&world, &booked).await;
    let mail = post.wait(&to, 1).await.remove(0);
    assert!(mail["headers"]["subject"].as_str().unwrap().starts_with("La aspettiamo "), "{mail:#}");
    // In another language the product's words stay.
    let order = desk.order(desk.at(5, 9, 15));
    let to = address(&order);
    let english = server.anonymous().post("/appointments", order).fresh_key().header("Accept-Language", "en");
    publish(&world, &english.await.expect(201)).await;
    let mail = post.wait(&to, 1).await.remove(0);
    assert!(mail["headers"]["subject"].as_str().unwrap().starts_with("Appointment confirmed"), "{mail:#}");

    admin.delete(PATH).if_match("\"9\"").await.problem(412, "version-mismatch");
    admin.delete(PATH).if_match(own.etag()).await.expect(204);
    assert_eq!(admin.get(PATH).await.expect(200).body, product.body);
    admin.delete(PATH).if_match("*").await.problem(404, "not-found");
}

async fn words_that_cannot_be_sent_are_refused(posted: Option<Posted>) {
    let Some(Posted { server, .. }) = posted else { return };
    let admin = server.client("admin");
    for (member, value, field) in [
        ("body", "Gentile {{ nome }}", "/body"),
        ("body", "troppo breve", "/body"),
        ("subject", "{{ date", "/subject"),
        ("html", "<img src=\"https://x.example/p.png\">", "/html"),
        ("html", "", "/html"),
    ] {
        let mut template = words();
        template[member] = json!(value);
        let refused = admin.put(PATH, template.clone()).if_match("*").await.problem(422, "invalid-body");
        refused.field(field);
        let preview = json!({ "kind": "appointment.confirmation", "language": "it", "template": template });
        let refused = admin.post("/message-previews", preview).await.problem(422, "invalid-body");
        refused.field(&format!("/template{field}"));
    }
    let line = json!({ "subject": "La aspettiamo", "body": "uno\ndue {{ nome }}", "html": "<p>x</p>" });
    let refused = admin.put(PATH, line).if_match("*").await.problem(422, "invalid-body");
    assert!(refused.text_at("/errors/0/detail").starts_with("line 2: "), "{refused}");
    for path in ["/message-templates/appointment.tea/it", "/message-templates/appointment.reminder/fr"] {
        admin.get(path).await.problem(404, "not-found");
    }
    let unknown = json!({ "kind": "appointment.tea", "language": "it" });
    admin.post("/message-previews", unknown).await.problem(422, "invalid-body").field("/kind");
}
