//! Vouchers: what a system may do with one, and what only looks like one.

use base64::Engine;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::{AUDIENCE, CLIENT, Comune, PURPOSE, Party, STRANGER, in_a_comune};
use crate::{rows, world::World};

in_a_comune!(a_system_is_let_in_and_is_worth_its_scopes, what_only_looks_like_a_voucher_is_refused);

async fn a_system_is_let_in_and_is_worth_its_scopes(comune: Comune) {
    let system = comune.system();
    let me = system.get("/me").await.expect(200);
    assert_eq!((me.text_at("/kind"), me.text_at("/id")), ("integration", format!("pdnd:{CLIENT}").as_str()));
    assert_eq!((me.text_at("/key/handle"), me.text_at("/key/label")), (CLIENT, "Comune di Altrove"));
    assert_eq!(me.at("/key/scopes"), &json!(["appointments:read", "appointments:write"]));
    assert!(me.at("/key/expires_at").is_string(), "as long as the voucher");
    assert!(me.at("/permissions").as_array().unwrap().iter().any(|one| one["name"] == "appointments.book"), "{me}");

    // As a program with a key: it books, it reads, it cancels, and the history says what it was.
    let desk = &comune.desk;
    let booked = system.post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key().await.expect(201);
    assert_eq!(booked.text_at("/channel"), "integration");
    let path = format!("/appointments/{}", booked.text_at("/id"));
    system.get(&path).await.expect(200);
    assert_eq!(system.get("/appointments").await.expect(200).items().len(), 1);
    let cancelled = system.post(&format!("{path}/cancellation"), json!({})).if_match("*").fresh_key().await;
    cancelled.expect(200);
    let told = comune.admin.get("/exports/appointments.jsonl").await.expect(200);
    assert!(told.text.contains(r#""cancelled_by":"integration""#), "{}", told.text);
    let history = system.get(&format!("{path}/history")).await.expect(200);
    assert!(history.items().iter().all(|entry| entry["actor"]["kind"] == "integration"), "{history}");
    let entries = comune.admin.get("/audit-entries").query("action", "appointment.").await.expect(200);
    assert!(entries.items().iter().all(|entry| entry["actor"] == format!("pdnd:{CLIENT}")), "{entries}");
    system.get("/events").await.problem(403, "forbidden");
    system.get("/staff-members").await.problem(403, "forbidden");

    // What the Comune says of it is heeded at once.
    comune.change(json!({ "scopes": ["events:read"] })).await;
    system.get("/events").await.expect(200);
    system.get("/appointments").await.problem(403, "forbidden");
    comune.change(json!({ "enabled": false })).await;
    system.get("/me").await.problem(401, "unauthenticated");
    comune.change(json!({ "enabled": true })).await;
    system.get("/me").await.expect(200);
    comune.set(json!({ "enabled": false })).await;
    system.get("/me").await.problem(401, "unauthenticated");
    comune.set(json!({ "enabled": true })).await;
    comune.admin.delete(&comune.registered).if_match("*").await.expect(204);
    system.get("/me").await.problem(401, "unauthenticated");

    let log = comune.server.log();
    let told = |word: &str| log.lines().any(|line| line.contains("called with a voucher") && line.contains(word));
    assert!(told(CLIENT) && told(PURPOSE), "{log}");
}

fn encoded(part: &Value) -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(part.to_string())
}

/// Signed with a shared secret, under the id of PDND's key.
fn hmac(kid: &str, claims: &Value, secret: &[u8]) -> String {
    let header = Header { kid: Some(kid.to_owned()), typ: Some("at+jwt".to_owned()), ..Header::new(Algorithm::HS256) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

async fn what_only_looks_like_a_voucher_is_refused(comune: Comune) {
    let altrove = World::another(&comune.server, "altrove").await;
    let (interop, issuer) = (&comune.interop, &comune.interop.issuer);
    let now = rows::now().as_second();
    let claims = interop.claims(&json!({}));
    let with = |change: Value| interop.voucher(&change);
    let good = with(json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let payload = signed.split('.').nth(1).unwrap();
    let other = with(json!({ "client_id": STRANGER }));
    let forger = Party::rs256("", &issuer.kid);
    let jwk = issuer.jwk();
    comune.with(&good).get("/me").await.expect(200);

    let tokens = [
        ("no algorithm", format!("{}.{payload}.", encoded(&json!({ "alg": "none", "typ": "at+jwt" })))),
        ("no algorithm, signature kept", format!("{}.{payload}.{signature}", encoded(&json!({ "alg": "NONE" })))),
        ("signature stripped", format!("{signed}.")),
        ("another's claims under the signature", format!("{}.{signature}", other.rsplit_once('.').unwrap().0)),
        ("public key as a secret", hmac(&issuer.kid, &claims, jwk.to_string().as_bytes())),
        ("key's modulus as a secret", hmac(&issuer.kid, &claims, jwk["n"].as_str().unwrap().as_bytes())),
        ("another's key under the right name", forger.jws("at+jwt", &json!({}), &claims)),
        ("key that is unknown", issuer.called("", "interop-2").jws("at+jwt", &json!({}), &claims)),
        ("a plain JWT", issuer.jws("JWT", &json!({}), &claims)),
        ("a proof of possession", issuer.jws("dpop+jwt", &json!({}), &claims)),
        ("another issuer", with(json!({ "iss": "https://elsewhere.example" }))),
        ("expired", with(json!({ "exp": now - 31 }))),
        ("no expiry", with(json!({ "exp": null }))),
        ("not valid yet", with(json!({ "nbf": now + 300 }))),
        ("no beginning", with(json!({ "nbf": null }))),
        ("issued in the future", with(json!({ "iat": now + 300 }))),
        ("never issued", with(json!({ "iat": null }))),
        ("no name of its own", with(json!({ "jti": null }))),
        ("another audience", with(json!({ "aud": "https://sportello.comune.altrove.example/pdnd" }))),
        ("no audience", with(json!({ "aud": null }))),
        ("no purpose", with(json!({ "purposeId": null }))),
        ("an empty purpose", with(json!({ "purposeId": "" }))),
        ("no client", with(json!({ "client_id": null }))),
        ("a client of another form", with(json!({ "client_id": "x" }))),
        ("a client that is not registered", with(json!({ "client_id": STRANGER, "sub": STRANGER }))),
        ("two clients", with(json!({ "sub": STRANGER }))),
        ("bound to a key", with(json!({ "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } }))),
        ("as staff", with(json!({ "sub": "ada", "aud": "bugliano" }))),
    ];
    let before = rows::written(&comune.world).await;
    for (name, token) in tokens {
        for path in ["/me", "/offices", "/appointments"] {
            let told = comune.with(&token).get(path).await;
            assert_eq!(told.status, 401, "{name}: {told}");
            assert!(told.problem(401, "unauthenticated").body.get("detail").is_none(), "{name}");
        }
    }
    let bound = comune.server.tenant(super::TENANT).get("/me").header("Authorization", format!("DPoP {good}"));
    bound.await.problem(401, "unauthenticated");
    assert_eq!(rows::written(&comune.world).await, before);

    // A token of the staff is no voucher, and a voucher is good in its Comune alone, even where another one has
    // registered the same client.
    comune.with(interop.staff(AUDIENCE, CLIENT)).get("/me").await.problem(401, "unauthenticated");
    let visitor = comune.server.tenant("altrove").with_token(&good);
    visitor.get("/me").await.problem(401, "unauthenticated");
    altrove
        .write(|tx| {
            let new = json!({ "client_id": CLIENT, "label": "x", "scopes": ["appointments:read"] });
            platform::access::pdnd::changes::register(tx, &serde_json::from_value(new).unwrap())?;
            let mut stored = platform::settings::store::get(tx)?;
            (stored.settings.pdnd.enabled, stored.settings.pdnd.audience) = (true, Some(format!("{AUDIENCE}/altrove")));
            platform::settings::store::put(tx, &stored.settings, stored.version)
        })
        .await;
    visitor.get("/me").await.problem(401, "unauthenticated");
    assert!(!comune.server.log().contains(signature), "the log tells too much");
}
