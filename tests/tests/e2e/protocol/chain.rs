//! What was registered stays as it is: the database refuses to change it, and what is changed nevertheless is found.

use diesel::{prelude::*, sql_query};
use serde_json::json;
use tests::{Answer, Backend, Counterpart, Server, both_databases};

use super::{body, desk_of};
use crate::world::World;

both_databases!(
    the_database_refuses_to_change_it,
    what_is_changed_nevertheless_is_found,
    the_segnatura_is_of_its_schema
);

/// Runs a statement; what the database says to it.
async fn run(world: &World, statement: &'static str) -> Result<usize, String> {
    let outcome = world
        .db
        .write(&storage::Scope::system(world.tenant.tenant_id), move |tx| {
            Ok(tx
                .savepoint(|tx| Ok(sql_query(statement).execute(tx.conn())?))
                .map_err(|failure| format!("{failure:?}")))
        })
        .await;
    outcome.unwrap()
}

async fn the_database_refuses_to_change_it(server: Server) {
    let (world, desk) = desk_of(&server).await;
    let admin = server.client("admin");
    let made = admin.post("/protocol-entries", body(&desk, "Prova")).fresh_key().await.expect(201);
    for statement in [
        "DELETE FROM protocol_entries",
        "DELETE FROM protocol_parties",
        "UPDATE protocol_entries SET subject = 'altro'",
        "UPDATE protocol_entries SET number = 7",
        "UPDATE protocol_entries SET hash = ''",
        "UPDATE protocol_entries SET annulled_by = NULL",
        "UPDATE protocol_parties SET family_name = 'Altri'",
    ] {
        let said = run(&world, statement).await.expect_err(statement);
        assert!(said.contains("registered is") || said.contains("annulled once"), "{statement}: {said}");
    }
    let why = json!({ "reason": "Errore", "act": "Determinazione n. 3" });
    let path = format!("/protocol-entries/{}", made.text_at("/id"));
    admin.post(&format!("{path}/annulment"), why).fresh_key().if_match("*").await.expect(200);
    for statement in [
        "UPDATE protocol_entries SET annulment_reason = 'altro'",
        "UPDATE protocol_entries SET annulled_at = NULL, annulled_by = NULL, annulment_reason = NULL, annulment_act = NULL",
    ] {
        run(&world, statement).await.expect_err(statement);
    }
}

fn verified(server: &Server) -> (bool, String) {
    let mut command = tests::server::sportello(&["protocol", "verify", "--database", server.database()]);
    let output = command.output().expect("the binary");
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

async fn what_is_changed_nevertheless_is_found(server: Server) {
    let (world, desk) = desk_of(&server).await;
    let admin = server.client("admin");
    for n in 0..3 {
        admin.post("/protocol-entries", body(&desk, &format!("Prova {n}"))).fresh_key().await.expect(201);
    }
    let last = admin.get("/protocol-entries").query("number", 3).await.expect(200);
    let path = format!("/protocol-entries/{}/annulment", last.text_at("/items/0/id"));
    let why = json!({ "reason": "Errore", "act": "Determinazione n. 3" });
    admin.post(&path, why).fresh_key().if_match("*").await.expect(200);
    let (sound, said) = verified(&server);
    assert!(sound && said.contains("SPORTELLO RACC: 3 entries, 0 faults"), "{said}");
    // Whoever owns the database can take the triggers away.
    let (disable, enable) = match server.backend() {
        Backend::Sqlite => ("DROP TRIGGER protocol_entries_fixed", "SELECT 1"),
        Backend::Postgres => (
            "ALTER TABLE protocol_entries DISABLE TRIGGER protocol_entries_fixed",
            "ALTER TABLE protocol_entries ENABLE TRIGGER protocol_entries_fixed",
        ),
    };
    run(&world, disable).await.unwrap();
    let lift = if server.backend() == Backend::Sqlite {
        "DROP TRIGGER protocol_entries_annulled_once"
    } else {
        "ALTER TABLE protocol_entries DISABLE TRIGGER protocol_entries_annulled_once"
    };
    run(&world, lift).await.unwrap();
    assert_eq!(run(&world, "UPDATE protocol_entries SET subject = 'Altro' WHERE number = 2").await, Ok(1));
    let other_act = "UPDATE protocol_entries SET annulment_act = 'Altro' WHERE number = 3";
    assert_eq!(run(&world, other_act).await, Ok(1));
    run(&world, enable).await.unwrap();
    let found: Answer = admin.get("/protocol-verification").await.expect(200);
    assert_eq!(found.at("/sound"), &json!(false));
    let changed = json!([{ "sequence": 2, "code": "content" }, { "sequence": 3, "code": "annulment" }]);
    assert_eq!(found.at("/registers/0/faults"), &changed);
    let (sound, said) = verified(&server);
    assert!(!sound && said.contains("SPORTELLO RACC: place 2: content"), "{said}");
    // A register does not go unnoticed by losing its end.
    assert_eq!(run(&world, "DELETE FROM protocol_registers").await, Ok(1));
    let found = admin.get("/protocol-verification").await.expect(200);
    assert_eq!(found.at("/registers/0/faults/2"), &json!({ "sequence": 3, "code": "end" }), "{found}");
}

/// Held against a schema of our own writing with AgID's names, by a validator that is not ours.
async fn the_segnatura_is_of_its_schema(server: Server) {
    let Some(counterpart) = Counterpart::start("segnatura.py", &[]) else { return };
    let validator = tests::Client::new(counterpart.url());
    let (_, desk) = desk_of(&server).await;
    let admin = server.client("admin");
    let inbound = body(&desk, "Richiesta <urgente> & altro");
    let mut outbound = body(&desk, "Risposta");
    outbound["direction"] = json!("outbound");
    outbound["confidential"] = json!(true);
    outbound["classification"] = json!("VI.3");
    outbound["parties"] = json!([
        { "role": "recipient", "kind": "organisation", "denomination": "Prova srl", "vat_number": "01234567890",
          "email": "pec@prova.example" },
        { "role": "recipient", "kind": "administration", "denomination": "Provincia di Prova", "ipa_code": "p_xx" }
    ]);
    let mut internal = body(&desk, "Nota");
    internal["direction"] = json!("internal");
    internal["parties"] = json!([]);
    for order in [inbound, outbound, internal] {
        let made = admin.post("/protocol-entries", order).fresh_key().await.expect(201);
        let path = format!("/protocol-entries/{}/segnatura", made.text_at("/id"));
        let xml = admin.get(&path).await.expect(200);
        assert!(xml.header("content-type").unwrap().starts_with("application/xml"));
        let checked = validator.post("/validations", json!({ "xml": xml.text })).await.expect(200);
        assert_eq!(checked.at("/errors"), &json!([]), "{}", xml.text);
        assert_eq!(checked.at("/number"), &json!(format!("{:07}", made.at("/number").as_i64().unwrap())));
    }
    // What was registered in an emergency names its first number too.
    let reason = json!({ "reason": "Guasto" });
    let emergency = admin.post("/emergency-registers", reason).fresh_key().await.expect(201);
    let mut urgent = body(&desk, "Urgente");
    urgent["emergency_register_id"] = emergency.at("/id").clone();
    let first = admin.post("/protocol-entries", urgent).fresh_key().await.expect(201);
    let closure = format!("/emergency-registers/{}/closure", emergency.text_at("/id"));
    admin.call(reqwest::Method::POST, &closure).fresh_key().if_match("*").await.expect(200);
    let first = admin.get(&format!("/protocol-entries/{}", first.text_at("/id"))).await.expect(200);
    let path = format!("/protocol-entries/{}/segnatura", first.text_at("/recovered_entry_id"));
    let xml = admin.get(&path).await.expect(200);
    let code = format!("<prot:CodiceRegistro>{}</prot:CodiceRegistro>", first.text_at("/register_code"));
    assert!(xml.text.contains("</prot:Identificatore><prot:PrimaRegistrazione>") && xml.text.contains(&code), "{xml}");
    let checked = validator.post("/validations", json!({ "xml": xml.text })).await.expect(200);
    assert_eq!(checked.at("/errors"), &json!([]), "{}", xml.text);
    // The validator does say what is wrong.
    let checked = validator.post("/validations", json!({ "xml": "<a/>" })).await.expect(200);
    assert_ne!(checked.at("/errors"), &json!([]));
}
