//! The client that progenitor makes of the contract, as `.ci/strangers` puts it here: it is enough that it compiles.

progenitor::generate_api!(spec = "contract.json", interface = Builder);
