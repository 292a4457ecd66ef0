//! Words that people have for a service, set by who administers it.

use serde_json::{Value, json};
use tests::{Server, both_databases};

use super::patched;
use crate::world::{Plan, World};

both_databases!(a_service_is_found_by_the_words_that_it_was_given);

async fn a_service_is_found_by_the_words_that_it_was_given(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let (admin, visitor) = (server.client("admin"), server.anonymous());
    let id = json!(desk.services[0].id);
    let path = format!("/appointment-services/{}", desk.services[0].id);
    let finds = async |words: &str| {
        let found = visitor.get("/appointment-services").query("q", words).await.expect(200);
        found.items().iter().any(|item| item["id"] == id)
    };
    assert_eq!(visitor.get(&path).await.expect(200).at("/keywords"), &json!([]));
    assert!(!finds("zampogna").await);
    let named = patched(&admin, &path, json!({ "keywords": [" zampogna ", "ciaramella"] })).await.expect(200);
    assert_eq!(named.at("/keywords"), &json!(["zampogna", "ciaramella"]));
    assert_eq!(visitor.get(&path).await.expect(200).body, named.body);
    assert!(finds("zampogna").await && finds("ciaramelle").await);
    // Another change leaves them alone; lists do without them.
    let longer = patched(&admin, &path, json!({ "duration_minutes": 30 })).await.expect(200);
    assert_eq!(longer.at("/keywords"), named.at("/keywords"));
    let list = visitor.get("/appointment-services").query("limit", 100).await.expect(200);
    assert!(list.items().iter().all(|item| item.get("keywords").is_none()), "{list}");

    for keywords in [json!([""]), json!([" "]), json!(["x".repeat(101)]), json!(["a\nb"]), json!(vec!["x"; 51])] {
        patched(&admin, &path, json!({ "keywords": keywords })).await.problem(422, "invalid-body").field("/keywords");
    }
    let most: Vec<Value> = (0..50).map(|n| json!(format!("{n:0>100}"))).collect();
    patched(&admin, &path, json!({ "keywords": most })).await.expect(200);
    let none = patched(&admin, &path, json!({ "keywords": null })).await.expect(200);
    assert_eq!(none.at("/keywords"), &json!([]));
    assert!(!finds("zampogna").await);
}
