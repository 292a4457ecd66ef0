//! What comes in goes out again, to whom it belongs.

use reqwest::Method;
use serde_json::json;
use tests::{Server, both_databases};

use super::{PDF, kept, packed, path, send, sent, swept, until};
use crate::{rows, world::World};

both_databases!(
    a_file_goes_out_as_it_came_in,
    parts_are_given_out,
    names_become_harmless,
    types_are_known_by_their_bytes,
    who_may_have_it_is_told_and_nobody_else,
    a_person_is_given_their_files,
);
both_databases!(swept => what_is_deleted_leaves_nothing_behind, a_repetition_keeps_one_file);

async fn a_file_goes_out_as_it_came_in(server: Server) {
    let anna = server.client("citizen_a");
    let made = send(&anna, "application/pdf", "Planimetria di casa.pdf", PDF.to_vec()).await.expect(201);
    assert_eq!(made.at("/name"), "Planimetria di casa.pdf");
    assert_eq!((made.at("/media_type"), made.at("/state")), (&json!("application/pdf"), &json!("clean")));
    assert_eq!((made.at("/size_bytes"), made.at("/subject")), (&json!(PDF.len()), &json!(null)));
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, PDF);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(made.text_at("/sha256"), hex);
    let read = anna.get(&path(&made, "")).await.expect(200);
    assert_eq!((&read.body, read.etag()), (&made.body, "\"1\"".to_owned()));
    let (status, headers, bytes) = anna.get(&path(&made, "/content")).bytes().await;
    assert_eq!((status, bytes.as_slice()), (200, PDF));
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("content-length", PDF.len().to_string().as_str()),
        (
            "content-disposition",
            "attachment; filename=\"Planimetria di casa.pdf\"; filename*=UTF-8''Planimetria%20di%20casa.pdf",
        ),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("accept-ranges", "bytes"),
        ("etag", format!("\"{hex}\"").as_str()),
    ] {
        assert_eq!(headers.get(name).and_then(|value| value.to_str().ok()), Some(value), "{name}");
    }
    // What is in the store has neither the name nor the id.
    let [file]: [std::path::PathBuf; 1] = kept(&server).try_into().unwrap();
    let text = file.display().to_string();
    assert!(!text.contains("Planimetria") && !text.contains(made.text_at("/id")), "{text}");
    assert_eq!(std::fs::read(&file).unwrap(), PDF);
}

async fn parts_are_given_out(server: Server) {
    let anna = server.client("citizen_a");
    let text = "a long text that would be compressed ".repeat(100);
    let made = sent(&anna, text.as_bytes()).await;
    let content = path(&made, "/content");
    let etag = format!("\"{}\"", made.text_at("/sha256"));
    let last = text.len() - 1;
    let same = etag.clone();
    for (range, condition, status, expected) in [
        ("bytes=0-6", None, 206, (0, 7)),
        ("bytes=-5", None, 206, (last - 4, last + 1)),
        ("bytes=100-", Some(same.as_str()), 206, (100, last + 1)),
        ("bytes=100-", Some("\"another\""), 200, (0, last + 1)),
        ("bytes=0-1,4-5", None, 200, (0, last + 1)),
    ] {
        let mut call = anna.get(&content).header("Range", range).header("Accept-Encoding", "gzip");
        if let Some(condition) = condition {
            call = call.header("If-Range", condition);
        }
        let (got, headers, bytes) = call.bytes().await;
        assert_eq!((got, bytes.as_slice()), (status, &text.as_bytes()[expected.0..expected.1]), "{range}");
        assert!(!headers.contains_key("content-encoding"), "{headers:?}");
        let told = headers.get("content-range").map(|value| value.to_str().unwrap().to_owned());
        let part = format!("bytes {}-{}/{}", expected.0, expected.1 - 1, text.len());
        assert_eq!(told, (status == 206).then_some(part), "{range}");
    }
    anna.get(&content).header("If-None-Match", &etag).await.expect(304);
    let head = anna.call(Method::HEAD, &content).await.expect(200);
    assert_eq!((head.header("content-length"), head.text.as_str()), (Some(text.len().to_string().as_str()), ""));
}

async fn names_become_harmless(server: Server) {
    let anna = server.client("citizen_a");
    for (header, expected) in [
        ("attachment; filename=\"../../etc/passwd\"", "passwd.pdf"),
        ("attachment; filename=\"..\\\\..\\\\win.ini\"", "win.ini.pdf"),
        ("attachment; filename=\"con.pdf\"", "_con.pdf"),
        ("attachment; filename*=UTF-8''fattura%E2%80%AEfdp.exe", "fatturafdp.exe.pdf"),
        ("attachment; filename*=UTF-8''a%0D%0Ab%00c.pdf", "abc.pdf"),
        ("attachment; filename*=UTF-8''Citt%C3%A0.pdf", "Città.pdf"),
        ("attachment", "documento.pdf"),
    ] {
        let call = anna.call(Method::POST, "/documents").raw(PDF.to_vec()).fresh_key();
        let made = call.header("Content-Disposition", header).await.expect(201);
        assert_eq!(made.at("/name"), expected, "{header}");
    }
    let long = format!("attachment; filename=\"{}.pdf\"", "a".repeat(500));
    let call = anna.call(Method::POST, "/documents").raw(PDF.to_vec()).fresh_key();
    let made = call.header("Content-Disposition", &long).await.expect(201);
    assert!(made.text_at("/name").len() <= 120, "{made}");
    let endless = format!("attachment; filename=\"{}.pdf\"", "a".repeat(1000));
    let call = anna.call(Method::POST, "/documents").raw(PDF.to_vec()).fresh_key();
    call.header("Content-Disposition", &endless).await.problem(400, "invalid-header").field("Content-Disposition");
    // All of them lie in the one folder.
    assert_eq!(kept(&server).len(), 8);
}

async fn types_are_known_by_their_bytes(server: Server) {
    let anna = server.client("citizen_a");
    let word = packed(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", b"<w/>")]);
    let odt = packed(&[("mimetype", b"application/vnd.oasis.opendocument.text"), ("content.xml", b"<o/>")]);
    let signed = b"\x30\x82\x10\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x82\x00\x00".to_vec();
    let docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    for (bytes, name, declared, found) in [
        (PDF.to_vec(), "a", "application/pdf", "application/pdf"),
        (PDF.to_vec(), "a", "application/pdf; version=1.7", "application/pdf"),
        (word.clone(), "a.docx", docx, docx),
        (word, "a.docx", "application/octet-stream", docx),
        (odt, "a.odt", "application/octet-stream", "application/vnd.oasis.opendocument.text"),
        (signed, "a.pdf.p7m", "application/x-pkcs7-mime", "application/pkcs7-mime"),
        (b"<?xml version=\"1.0\"?><a/>".to_vec(), "a", "text/xml", "application/xml"),
        (b"a;b\n1;2\n".to_vec(), "a.csv", "application/octet-stream", "text/csv"),
        (b"a;b\n1;2\n".to_vec(), "a.csv", "text/plain", "text/plain"),
        (b"a;b\n1;2\n".to_vec(), "a.csv", "application/vnd.ms-excel", "text/csv"),
    ] {
        let made = send(&anna, declared, name, bytes).await.expect(201);
        assert_eq!(made.at("/media_type"), found, "{declared}");
    }
}

async fn who_may_have_it_is_told_and_nobody_else(server: Server) {
    let (anna, operator) = (server.client("citizen_a"), server.client("operator"));
    let (hers, his) = (sent(&anna, PDF).await, sent(&operator, PDF).await);
    for tail in ["", "/content"] {
        operator.get(&path(&his, tail)).await.expect(200);
        for role in ["citizen_b", "operator", "admin", "kiosk", "integration", "platform"] {
            server.client(role).get(&path(&hers, tail)).await.problem(404, "not-found");
        }
        for role in ["citizen_a", "manager", "admin"] {
            server.client(role).get(&path(&his, tail)).await.problem(404, "not-found");
        }
        server.anonymous().get(&path(&hers, tail)).await.problem(401, "unauthenticated");
    }
    server.client("citizen_b").delete(&path(&hers, "")).await.problem(404, "not-found");
    server.client("kiosk").delete(&path(&hers, "")).await.problem(404, "not-found");
    anna.get(&path(&hers, "")).await.expect(200);
}

async fn a_person_is_given_their_files(server: Server) {
    let anna = server.client("citizen_a");
    let made = send(&anna, "application/pdf", "Planimetria.pdf", PDF.to_vec()).await.expect(201);
    sent(&server.client("citizen_b"), b"not hers").await;
    let told = anna.get("/me/personal-data").await.expect(200);
    let holdings = told.at("/holdings").as_array().unwrap();
    let documents = holdings.iter().find(|holding| holding["name"] == "documents").unwrap();
    assert_eq!(documents["sections"][0]["entries"].as_array().unwrap().len(), 1);
    assert_eq!(documents["sections"][0]["entries"][0]["id"], *made.at("/id"));
    let name = format!("documents/{}/Planimetria.pdf", made.text_at("/id"));
    assert_eq!(
        (&documents["files"][0]["name"], &documents["files"][0]["size_bytes"]),
        (&json!(name), &json!(PDF.len()))
    );
    let (status, _, bytes) = anna.get("/me/personal-data-archive").bytes().await;
    assert_eq!(status, 200);
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut file = archive.by_name(&name).unwrap();
    let mut read = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut read).unwrap();
    assert_eq!(read, PDF);
}

async fn what_is_deleted_leaves_nothing_behind(server: Server) {
    let anna = server.client("citizen_a");
    let made = sent(&anna, PDF).await;
    assert_eq!(kept(&server).len(), 1);
    anna.delete(&path(&made, "")).await.expect(204);
    anna.get(&path(&made, "")).await.problem(404, "not-found");
    anna.delete(&path(&made, "")).await.problem(404, "not-found");
    until("the bytes are gone", async || kept(&server).is_empty()).await;
    let world = World::of(&server).await;
    until("nothing is to be deleted", async || rows::count(&world, "document_discards").await == 0).await;
    assert_eq!(rows::count(&world, "documents").await, 0);
}

async fn a_repetition_keeps_one_file(server: Server) {
    let anna = server.client("citizen_a");
    let again = |bytes: &'static [u8]| anna.call(Method::POST, "/documents").raw(bytes).key("the-same-file-once-more");
    let first = again(PDF).await.expect(201);
    let second = again(PDF).await.expect(201);
    assert_eq!((first.body, second.header("idempotency-replayed")), (second.body.clone(), Some("true")));
    again(b"%PDF-another").await.problem(422, "idempotency-key-reused");
    let world = World::of(&server).await;
    until("the copies are gone", async || kept(&server).len() == 1).await;
    assert_eq!(rows::count(&world, "documents").await, 1);
    until("nothing is to be deleted", async || rows::count(&world, "document_discards").await == 0).await;
}
