//! Receipts: given for what comes in, verified by whoever has the code, and on paper for those it is about.

use serde_json::{Value, json};
use tests::{Server, both_databases};

use super::{body, desk_of};

both_databases!(
    whoever_files_something_has_a_receipt,
    a_receipt_says_what_became_of_its_entry,
    people_find_their_own_receipts,
    what_is_told_of_the_answer_goes_together,
);

/// The page that the Comune of these tests verifies receipts on.
const PAGE: &str = "https://servizi.comune.example/ricevute/{code}";

fn connection(page: Option<&str>) -> Value {
    json!({ "connector": "internal", "ipa_code": "c_x000", "aoo_code": "A1B2C3D", "register_code": "RACC",
        "receipt_page": page })
}

async fn whoever_files_something_has_a_receipt(server: Server) {
    let (_, desk) = desk_of(&server).await;
    let (admin, anna, ugo) = (server.client("admin"), server.client("citizen_a"), server.client("citizen_b"));
    admin.put("/connections/protocol", connection(Some(PAGE))).if_match("*").await.expect(200);
    let mut filed = body(&desk, "Autorizzazione «occupazione» àèìòù Žižek");
    filed["answering"] = json!({ "due_on": "2199-12-23", "silence": "assent", "responsible": "dott. Ugo Esempio" });
    let made = admin.post("/protocol-entries", filed.clone()).key("una-volta-sola").await.expect(201);
    let code = made.text_at("/receipt_code").to_owned();
    // The same request is the same receipt.
    let again = admin.post("/protocol-entries", filed).key("una-volta-sola").await.expect(201);
    assert_eq!(again.text_at("/receipt_code"), code);

    // Whoever has the code verifies it, however they write it, and learns neither who filed what nor what about.
    let nobody = server.anonymous();
    for written in [code.clone(), code.replace('-', ""), code.to_lowercase()] {
        let verified = nobody.get(&format!("/receipts/{written}")).await.expect(200);
        assert_eq!(verified.text_at("/code"), code, "{written}");
        assert_eq!(verified.at("/display"), made.at("/display"));
        assert_eq!((verified.text_at("/due_on"), verified.text_at("/silence")), ("2199-12-23", "assent"));
        assert_eq!(verified.at("/documents/1/sha256"), &json!("cd".repeat(32)));
        assert_eq!((verified.at("/annulled"), verified.at("/general_protocol")), (&json!(false), &Value::Null));
        for secret in ["Prova", "occupazione", "istanza.pdf", "Esempio"] {
            assert!(!verified.text.contains(secret), "{secret} in {verified}");
        }
    }
    for wrong in ["0000-0000-0000-0000", "K7M2-PQ4X", "niente", &format!("{code}0"), &"0".repeat(39)] {
        nobody.get(&format!("/receipts/{wrong}")).await.problem(404, "not-found");
    }

    // The paper is for whoever filed it, and for the office.
    let path = format!("/receipts/{code}/paper");
    let paper = anna.get(&path).await.expect(200);
    assert_eq!(paper.header("content-type"), Some("application/pdf"));
    assert!(paper.header("content-disposition").unwrap().starts_with("attachment; filename=\"ricevuta-RACC-0000001-"));
    nobody.get(&path).await.problem(401, "unauthenticated");
    for other in [&ugo, &server.client("kiosk")] {
        other.get(&path).await.problem(404, "not-found");
    }
    let (_, _, bytes) = admin.get(&path).bytes().await;
    assert!(bytes.starts_with(b"%PDF-1."), "no PDF");
    let text = read(&bytes);
    let display = made.text_at("/display");
    for told in [
        "Ricevuta di presentazione",
        display,
        made.text_at("/mark"),
        &code,
        "Anna Prova",
        "Autorizzazione «occupazione» àèìòù Žižek",
        "23/12/2199",
        "dott. Ugo Esempio",
        "istanza.pdf",
        &PAGE.replace("{code}", &code),
    ] {
        assert!(text.contains(&told.split_whitespace().collect::<String>()), "{told} is not in the receipt: {text}");
    }
    // The same for the same language, whoever asks and when; another language is another paper.
    assert_eq!(anna.get(&path).bytes().await.2, bytes);
    let (_, _, german) = anna.get(&path).header("Accept-Language", "de").bytes().await;
    assert!(read(&german).contains("Empfangsbestätigung") && german != bytes);
    let log = server.log();
    assert!(!log.contains("occupazione"), "the log tells of what was filed");
}

async fn a_receipt_says_what_became_of_its_entry(server: Server) {
    let (_, desk) = desk_of(&server).await;
    let (admin, nobody) = (server.client("admin"), server.anonymous());
    let verify = async |code: &str| nobody.get(&format!("/receipts/{code}")).await.expect(200);
    let made = admin.post("/protocol-entries", body(&desk, "Prima")).fresh_key().await.expect(201);
    let code = made.text_at("/receipt_code").to_owned();
    // Without a page the code is on the paper alone.
    let paper = read(&admin.get(&format!("/receipts/{code}/paper")).bytes().await.2);
    assert!(paper.contains(&code) && !paper.contains("http"), "{paper}");
    // What is called otherwise now was called so then.
    let office = format!("/offices/{}", desk.office.id);
    let was = verify(&code).await.text_at("/office").to_owned();
    admin.patch(&office, json!({ "name": { "it": "Ufficio rinominato" } })).if_match("*").await.expect(200);
    assert_eq!(verify(&code).await.text_at("/office"), was);
    let why = json!({ "reason": "Errore", "act": "Determinazione n. 3" });
    let path = format!("/protocol-entries/{}/annulment", made.text_at("/id"));
    admin.post(&path, why).fresh_key().if_match("*").await.expect(200);
    assert_eq!(verify(&code).await.at("/annulled"), &json!(true));

    // In an emergency the receipt has the emergency's number, and tells the ordinary one later.
    let reason = json!({ "reason": "Guasto" });
    let emergency = admin.post("/emergency-registers", reason).fresh_key().await.expect(201);
    let mut urgent = body(&desk, "Urgente");
    urgent["emergency_register_id"] = emergency.at("/id").clone();
    let urgent = admin.post("/protocol-entries", urgent).fresh_key().await.expect(201);
    let code = urgent.text_at("/receipt_code").to_owned();
    assert_eq!(verify(&code).await.at("/recovered_as"), &Value::Null);
    let closure = format!("/emergency-registers/{}/closure", emergency.text_at("/id"));
    admin.call(reqwest::Method::POST, &closure).fresh_key().if_match("*").await.expect(200);
    let told = verify(&code).await;
    assert_eq!(told.at("/display"), urgent.at("/display"));
    assert_eq!(told.text_at("/recovered_as"), format!("0000002/{}", tests::today().year()));
}

async fn people_find_their_own_receipts(server: Server) {
    let (_, desk) = desk_of(&server).await;
    let (admin, anna, ugo) = (server.client("admin"), server.client("citizen_a"), server.client("citizen_b"));
    let mut codes = Vec::new();
    for n in 0..3 {
        let mut filed = body(&desk, &format!("Istanza {n}"));
        filed["answering"] = json!({ "due_on": "2199-12-23" });
        // Whoever is named twice has one receipt.
        let sender = filed["parties"][0].clone();
        filed["parties"].as_array_mut().unwrap().push(sender);
        let made = admin.post("/protocol-entries", filed).fresh_key().await.expect(201);
        codes.insert(0, (made.at("/receipt_code").clone(), made.at("/display").clone()));
    }
    // Of what goes out to them there is none.
    let mut outbound = body(&desk, "Risposta");
    outbound["direction"] = json!("outbound");
    outbound["parties"][0]["role"] = json!("recipient");
    admin.post("/protocol-entries", outbound).fresh_key().await.expect(201);

    let (mut found, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut call = anna.get("/me/receipts").query("limit", 2);
        if let Some(after) = &after {
            call = call.query("after", after);
        }
        let page = call.await.expect(200);
        assert!(!page.text.contains("Istanza") && !page.text.contains("Prova"), "{page}");
        for item in page.items() {
            assert_eq!(item["due_on"], "2199-12-23");
            assert!(item["office"].is_string() && item["registered_at"].is_string(), "{page}");
            found.push((item["code"].clone(), item["display"].clone()));
        }
        after = page.at("/next").as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, codes);
    assert!(ugo.get("/me/receipts").await.expect(200).items().is_empty());
    server.anonymous().get("/me/receipts").await.problem(401, "unauthenticated");
    admin.get("/me/receipts").await.problem(403, "forbidden");
}

async fn what_is_told_of_the_answer_goes_together(server: Server) {
    let (_, desk) = desk_of(&server).await;
    let admin = server.client("admin");
    let with = |name: &str, value: Value| {
        let mut body = body(&desk, "Prova");
        body[name] = value;
        body
    };
    for (answering, pointer) in [
        (json!({ "silence": "assent" }), "/answering/due_on"),
        (json!({ "due_on": "ieri" }), "/answering/due_on"),
        (json!({ "due_on": "2020-01-01" }), "/answering/due_on"),
        (json!({ "responsible": "due\nrighe" }), "/answering/responsible"),
        (json!({ "silence": "consent", "due_on": "2199-01-01" }), "/answering/silence"),
    ] {
        let wrong = with("answering", answering);
        admin.post("/protocol-entries", wrong).fresh_key().await.problem(422, "invalid-body").field(pointer);
    }
    let mut outbound = with("answering", json!({ "due_on": "2199-01-01" }));
    outbound["direction"] = json!("outbound");
    outbound["parties"][0]["role"] = json!("recipient");
    admin
        .post("/protocol-entries", outbound.clone())
        .fresh_key()
        .await
        .problem(422, "invalid-body")
        .field("/answering");
    outbound.as_object_mut().unwrap().remove("answering");
    let made = admin.post("/protocol-entries", outbound).fresh_key().await.expect(201);
    assert_eq!(made.at("/receipt_code"), &Value::Null);
    for page in [
        "http://comune.example/{code}",
        "https://comune.example/",
        "javascript:alert({code})",
        "http://localhost.example/{code}",
        "http://127.0.0.1:x@comune.example/{code}",
    ] {
        let put = admin.put("/connections/protocol", connection(Some(page))).if_match("*").await;
        put.problem(422, "invalid-body").field("/receipt_page");
    }
}

/// The text of a PDF without spaces, in the order it stands in.
fn read(bytes: &[u8]) -> String {
    let document = lopdf::Document::load_mem(bytes).expect("a PDF that an independent reader reads");
    let pages: Vec<u32> = document.get_pages().into_keys().collect();
    let text = document.extract_text(&pages).expect("text");
    text.split_whitespace().collect()
}
