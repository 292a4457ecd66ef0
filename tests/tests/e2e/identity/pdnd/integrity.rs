//! What a client signs is what is done: bodies and headers that were changed on the way, and keys that are not its own.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use platform::problems::{IDENTITY_UNAVAILABLE, SIGNATURE_INVALID, SIGNATURE_REQUIRED};
use serde_json::{Value, json};
use tests::client::Call;

use super::{
    AUDIENCE, CLIENT, Comune, Party, STRANGER, in_a_comune,
    interop::{digest_of, signed},
};
use crate::{refusals::Refusals, rows};

in_a_comune!(
    a_request_is_as_it_was_signed,
    a_signature_that_is_not_wanted_is_checked_all_the_same,
    keys_are_asked_for_where_they_are_and_nowhere_else,
    while_the_keys_are_away_nothing_is_believed,
);

/// A request that books, as JSON text.
fn order(comune: &Comune, hour: i8) -> String {
    comune.desk.order(comune.desk.at(3, hour, 0)).to_string()
}

/// A request that books, signed by this party with these claims overruled.
fn by(comune: &Comune, party: &Party, body: &str, change: &Value) -> Call {
    signed(&comune.system(), "/appointments", body, &party.signature(body, change)).fresh_key()
}

async fn a_request_is_as_it_was_signed(comune: Comune) {
    comune.set(json!({ "signature_required": true })).await;
    let (system, party) = (comune.system(), &comune.party);
    let body = order(&comune, 9);
    let mut refused = Refusals::of(&comune.world);
    let plain = || system.call(reqwest::Method::POST, "/appointments").header("Content-Type", "application/json");
    refused.told(&SIGNATURE_REQUIRED, plain().body(body.clone()).fresh_key()).await;
    refused.told(&SIGNATURE_REQUIRED, plain().body(body.clone()).header("Digest", digest_of(&body)).fresh_key()).await;
    // Before anything is said about the body.
    refused.told(&SIGNATURE_REQUIRED, plain().body("{")).await;
    // What has no body needs no signature, and keys of ours are not concerned.
    system.get("/appointments").await.expect(200);
    comune.admin.patch(&comune.registered, json!({ "label": "Altrove" })).if_match("*").await.expect(200);

    let now = rows::now().as_second();
    let changed = body.replacen("Prova", "prova", 1);
    assert_eq!(changed.len(), body.len());
    let good = party.signature(&body, &json!({}));
    let (_, jws) = good.split_once('.').unwrap();
    let text = || plain().body(body.clone()).header("Digest", digest_of(&body)).fresh_key();
    let with = |signature: &str| text().header("Agid-JWT-Signature", signature);
    let claims = |change: Value| by(&comune, party, &body, &change);
    let headers = |list: Value| claims(json!({ "signed_headers": list }));
    let told = party.signed_claims(&body, &json!({}));
    let hmac = |secret: &[u8]| {
        let header = Header { kid: Some(party.kid.clone()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &told, &EncodingKey::from_secret(secret)).unwrap()
    };
    let none = |alg: &str| {
        use base64::Engine;
        let header = json!({ "alg": alg, "typ": "JWT", "kid": party.kid }).to_string();
        format!("{}.{jws}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header))
    };
    let header = |header: Value| with(&party.jws("JWT", &header, &told));
    let (digest, json_type) = (json!({ "digest": digest_of(&body) }), json!({ "content-type": "application/json" }));
    let calls = [
        (
            "a body changed by one byte",
            plain()
                .body(changed.clone())
                .header("Digest", digest_of(&body))
                .fresh_key()
                .header("Agid-JWT-Signature", &good),
        ),
        ("a body and its digest changed", signed(&system, "/appointments", &changed, &good).fresh_key()),
        (
            "a body taken away",
            plain().header("Digest", digest_of(&body)).fresh_key().header("Agid-JWT-Signature", &good),
        ),
        ("no digest", plain().body(body.clone()).fresh_key().header("Agid-JWT-Signature", &good)),
        ("two digests", with(&good).header("Digest", digest_of(&body))),
        ("two signatures", with(&good).header("Agid-JWT-Signature", &good)),
        (
            "another media type",
            system
                .call(reqwest::Method::POST, "/appointments")
                .header("Content-Type", "application/json; charset=utf-8")
                .body(body.clone())
                .header("Digest", digest_of(&body))
                .fresh_key()
                .header("Agid-JWT-Signature", &good),
        ),
        ("an encoding that was not signed", with(&good).header("Content-Encoding", "identity")),
        ("a digest that was not signed", headers(json!([json_type]))),
        ("a media type that was not signed", headers(json!([digest]))),
        ("a header that did not come", headers(json!([digest, json_type, { "x-corso": "1" }]))),
        ("no signed headers", claims(json!({ "signed_headers": null }))),
        ("no algorithm", with(&none("none"))),
        ("another algorithm", with(&none("RS256"))),
        ("public key as a secret", with(&hmac(party.jwk().to_string().as_bytes()))),
        ("key's point as a secret", with(&hmac(party.jwk()["x"].as_str().unwrap().as_bytes()))),
        ("another type", with(&party.jws("at+jwt", &json!({}), &told))),
        ("a critical extension", header(json!({ "crit": ["b64"] }))),
        ("another's key under the right name", by(&comune, &Party::es256(CLIENT, &party.kid), &body, &json!({}))),
        (
            "another's key, carried along",
            with(&Party::es256(CLIENT, &party.kid).jws("JWT", &json!({ "jwk": party.jwk() }), &told)),
        ),
        ("PDND's own key", by(&comune, &comune.interop.issuer.called(CLIENT, "interop-1"), &body, &json!({}))),
        ("the voucher", with(&comune.interop.voucher(&json!({})))),
        ("expired", claims(json!({ "iat": now - 100, "nbf": now - 100, "exp": now - 31 }))),
        ("no expiry", claims(json!({ "exp": null }))),
        ("not valid yet", claims(json!({ "nbf": now + 300 }))),
        ("signed in the future", claims(json!({ "iat": now + 300, "exp": now + 360 }))),
        ("valid for a day", claims(json!({ "exp": now + 86_400 }))),
        ("another audience", claims(json!({ "aud": format!("{AUDIENCE}/altrove") }))),
        ("another client", claims(json!({ "iss": STRANGER }))),
        ("another subject", claims(json!({ "sub": STRANGER }))),
        ("no name of its own", claims(json!({ "jti": null }))),
        ("no JWS", with("nonsense")),
        ("nothing", with("")),
    ];
    for (name, call) in calls {
        let answer = refused.told(&SIGNATURE_INVALID, call).await;
        let detail = answer.text_at("/detail");
        assert!(!detail.contains(&party.kid) && !detail.contains(CLIENT), "{name}: {detail}");
    }
    // None of them has used the good one up.
    with(&good).await.expect(201);
    let last = order(&comune, 10);
    by(&comune, party, &last, &json!({ "iss": null, "sub": null, "nbf": null, "aud": ["x", AUDIENCE] }))
        .await
        .expect(201);
    refused.were(&[&SIGNATURE_REQUIRED, &SIGNATURE_INVALID]);
    let long = "x".repeat(1_048_577);
    signed(&system, "/appointments", &long, &good).await.problem(413, "payload-too-large");
    let log = comune.server.log();
    assert!(log.contains("a signature was refused") && !log.contains(jws), "the log tells too much");
}

async fn a_signature_that_is_not_wanted_is_checked_all_the_same(comune: Comune) {
    let (system, party) = (comune.system(), &comune.party);
    let body = order(&comune, 9);
    let good = party.signature(&body, &json!({}));
    signed(&system, "/appointments", &body.replacen("Prova", "prova", 1), &good)
        .await
        .problem(401, "signature-invalid");
    signed(&system, "/appointments", &body, &good).fresh_key().await.expect(201);
    system.post("/appointments", comune.desk.order(comune.desk.at(3, 10, 0))).fresh_key().await.expect(201);
    // Nobody else is asked about it.
    comune.admin.get("/settings").header("Agid-JWT-Signature", "nonsense").await.expect(200);
    system.get("/appointments").header("Agid-JWT-Signature", "nonsense").await.problem(401, "signature-invalid");
    // What has no body is signed as such.
    let nothing = party.signature("", &json!({ "signed_headers": [{ "digest": digest_of("") }] }));
    let empty = || system.get("/appointments").header("Digest", digest_of("")).header("Agid-JWT-Signature", &nothing);
    empty().await.expect(200);
    empty().await.problem(401, "signature-invalid");
}

async fn keys_are_asked_for_where_they_are_and_nowhere_else(comune: Comune) {
    let body = order(&comune, 9);
    let interop = &comune.interop;
    let attempt = async |party: &Party| by(&comune, party, &body, &json!({})).await;
    for kid in ["../keys/chiave-1", "..", "chiave-1?x=1", "chiave-1#x", "%2e%2e", "a/b", "a b", "", &"k".repeat(129)] {
        attempt(&comune.party.called(CLIENT, kid)).await.problem(401, "signature-invalid");
    }
    assert_eq!(interop.asked(), Vec::<String>::new(), "nothing was asked for");

    // The first version of the API answers the key alone, and the second says whose it is.
    let rsa = Party::rs256(CLIENT, "chiave-rsa");
    interop.answer(&rsa.kid, &rsa.jwk());
    attempt(&rsa).await.expect(201);
    let theirs = Party::es256(STRANGER, "chiave-altrui");
    interop.publish(&theirs);
    attempt(&theirs.called(CLIENT, &theirs.kid)).await.problem(401, "signature-invalid");
    let renamed = Party::es256(CLIENT, "chiave-2");
    interop.answer(&renamed.kid, &renamed.called(CLIENT, "chiave-3").jwk());
    attempt(&renamed).await.problem(401, "signature-invalid");
    for _ in 0..3 {
        attempt(&rsa.called(CLIENT, "chiave-inventata")).await.problem(401, "signature-invalid");
    }
    let asked: Vec<_> = ["rsa", "altrui", "2", "inventata"].map(|kid| format!("/v2/keys/chiave-{kid}")).into();
    assert_eq!(interop.asked(), asked, "each once");
    for n in 0..20 {
        let told = attempt(&rsa.called(CLIENT, &format!("inventata-{n}"))).await;
        assert!([401, 503].contains(&told.status), "{told}");
    }
    assert!(interop.asked().len() <= 10, "{:?}", interop.asked());
}

async fn while_the_keys_are_away_nothing_is_believed(comune: Comune) {
    comune.interop.be_away(true);
    let body = order(&comune, 9);
    let mut refused = Refusals::of(&comune.world);
    let told = refused.told(&IDENTITY_UNAVAILABLE, by(&comune, &comune.party, &body, &json!({}))).await;
    assert_eq!(told.header("retry-after"), Some("10"), "{told}");
    comune.interop.be_away(false);
    // Not at once: whoever is away is not asked with every request.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while by(&comune, &comune.party, &body, &json!({})).await.status != 201 {
        assert!(std::time::Instant::now() < deadline, "the key is never asked for again");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    assert!((2..=3).contains(&comune.interop.asked().len()), "{:?}", comune.interop.asked());
}
