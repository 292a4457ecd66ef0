//! `demo`: made once, kept for good.

use std::{fs, os::unix::fs::PermissionsExt};

use tests::{Server, both_databases};

use crate::{
    rows::written,
    world::{Plan, World},
};

both_databases!(run_again_it_keeps_data_and_credentials);

async fn run_again_it_keeps_data_and_credentials(mut server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let booked =
        server.client("citizen_a").post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key().await.expect(201);
    let read = |server: &Server, name: &str| fs::read_to_string(server.folder().join(name)).unwrap();
    let (tokens, issuer) = (server.credentials().tokens.clone(), read(&server, "issuer-key.pem"));
    let (jwks, before) = (read(&server, "jwks.json"), written(&world).await);
    let services = server.anonymous().get("/appointment-services?limit=100").await.expect(200);
    assert!(services.items().len() > 12, "{services}");

    for _ in 0..2 {
        server.restart();
        assert_eq!(written(&world).await, before);
        assert_eq!(read(&server, "issuer-key.pem"), issuer);
        assert_eq!(read(&server, "jwks.json"), jwks);
        for role in ["kiosk", "integration", "platform"] {
            assert_eq!(server.credentials().tokens[role], tokens[role], "{role}");
        }
        // Tokens of people are new each time, and those of before are good for their time.
        let visitor = server.anonymous();
        for (role, old) in &tokens {
            for token in [old, &server.credentials().tokens[role]] {
                visitor.with_token(token).get("/offices").await.expect(200);
            }
        }
        let path = format!("/appointments/{}", booked.text_at("/id"));
        let found = visitor.with_token(&tokens["citizen_a"]).get(&path).await.expect(200);
        assert_eq!(found.body, booked.body);
        let again = visitor.get("/appointment-services?limit=100").await.expect(200);
        assert_eq!(again.body, services.body);
    }
    // The file opens doors: it names where to knock, and is its owner's alone.
    let written = serde_json::from_str::<serde_json::Value>(&read(&server, "credentials.json")).unwrap();
    assert_eq!(written["base_url"], server.base_url());
    for name in ["credentials.json", "issuer-key.pem"] {
        let mode = fs::metadata(server.folder().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
