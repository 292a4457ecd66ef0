//! The client that progenitor makes of the contract: it is enough that it compiles.

progenitor::generate_api!(spec = "../../../openapi/openapi-3.0.json", interface = Builder);
