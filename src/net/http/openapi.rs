//! `/api/v1/openapi.json`: the API for programs (OpenAPI 3.1), out of the types of its answers.

use std::sync::LazyLock;

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use rackberry_core::appliance::{ArmBody, AssetsView, NodeView, RenderView, Report, StatusView};

/// The whole document; it is the same for as long as the service runs.
pub(super) static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let paths = paths(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "rackberry",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Everybody may look. Orders take the token of [http] token_file; on the control socket they need none.",
        },
        "servers": [{ "url": "/api/v1" }],
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn paths(schemas: &mut SchemaGenerator) -> Value {
    json!({
        "/status": { "get": look::<StatusView>("Mode, network, counts and warnings.", schemas) },
        "/nodes": { "get": look::<Vec<NodeView>>("Every node.", schemas) },
        "/nodes/{node}": of_node(&[("get", look::<NodeView>("One node.", schemas))]),
        "/nodes/{node}/render": of_node(&[(
            "get",
            look::<RenderView>("What it would be given if it were armed now; on the control socket only.", schemas),
        )]),
        "/nodes/{node}/packets": of_node(&[("get", packets("Its last DHCP packets"))]),
        "/nodes/{node}/report": of_node(&[("post", report(schemas))]),
        "/nodes/{node}/reinstall": of_node(&[("post", order("Arms it, installed or not: this overwrites its disk."))]),
        "/nodes/{node}/forget": of_node(&[("post", order("Forgets what is known of it."))]),
        "/nodes/{node}/wake": of_node(&[("post", order("Switches it on by Wake-on-LAN."))]),
        "/packets": { "get": packets("The last DHCP packets of all machines") },
        "/assets": { "get": look::<AssetsView>("Operating systems, and whether each is complete and authentic.", schemas) },
        "/events": { "get": events() },
        "/arm": { "post": arm(schemas) },
        "/disarm": { "post": order("Stops new installs; those that already write a disk finish.") },
        "/accept-loss": { "post": order("Says that the state that was lost is of no account: this is a first day.") },
        "/openapi.json": { "get": { "summary": "This.", "responses": { "200": { "description": "This document." } } } },
    })
}

fn look<T: JsonSchema>(summary: &str, schemas: &mut SchemaGenerator) -> Value {
    let schema = schemas.subschema_for::<T>();
    json!({
        "summary": summary,
        "responses": responses(&json!({
            "description": "It.",
            "content": { "application/json": { "schema": schema } },
        })),
    })
}

fn order(summary: &str) -> Value {
    json!({
        "summary": summary,
        "security": [{ "token": [] }],
        "responses": responses(&json!({ "description": "Done." })),
    })
}

fn arm(schemas: &mut SchemaGenerator) -> Value {
    let mut arm = order("Lets nodes install: those not installed yet, or the ones named.");
    arm["requestBody"] = body::<ArmBody>(schemas);
    arm
}

fn report(schemas: &mut SchemaGenerator) -> Value {
    json!({
        "summary": "A node says how far its install is: from its own address, or below /g/TOKEN.",
        "requestBody": body::<Report>(schemas),
        "responses": responses(&json!({ "description": "Noted." })),
    })
}

fn body<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Value {
    json!({ "content": { "application/json": { "schema": schemas.subschema_for::<T>() } } })
}

fn packets(what: &str) -> Value {
    json!({
        "summary": format!("{what}, as a pcap file; on the control socket only."),
        "responses": responses(&json!({
            "description": "The file.",
            "content": { "application/vnd.tcpdump.pcap": {} },
        })),
    })
}

fn events() -> Value {
    json!({
        "summary": "The state, each time it changes: status and nodes, as JSON in server-sent events.",
        "responses": responses(&json!({ "description": "A stream.", "content": { "text/event-stream": {} } })),
    })
}

fn responses(good: &Value) -> Value {
    json!({
        "200": good,
        "default": {
            "description": "Why not.",
            "content": { "application/json": { "schema": {
                "type": "object",
                "properties": { "error": { "type": "string" } },
                "required": ["error"],
            } } },
        },
    })
}

/// What a node's path offers, with what its parameter means.
fn of_node(operations: &[(&str, Value)]) -> Value {
    let mut item = Map::new();
    item.insert(
        "parameters".into(),
        json!([{
            "name": "node",
            "in": "path",
            "required": true,
            "description": "Its name, or its hardware address in any usual spelling.",
            "schema": { "type": "string" },
        }]),
    );
    item.extend(operations.iter().map(|(method, operation)| ((*method).to_owned(), operation.clone())));
    item.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rackberry_core::http::route::{self, Route};

    #[test]
    fn every_path_is_one_and_every_reference_leads_somewhere() {
        let document = document();
        let paths = document["paths"].as_object().unwrap();
        assert_eq!(paths.len(), 16, "as many as there are kinds of route::Api, one of which has two");
        for path in paths.keys() {
            let path = format!("/api/v1{}", path.replace("{node}", "00:25:90:c0:f7:86"));
            let target = route::parse(&path, None).unwrap();
            assert!(matches!(target.route, Route::Api(_)), "{path}");
        }
        let text = document.to_string();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name}");
        }
        for name in
            ["StatusView", "NodeView", "AssetsView", "Report", "Cause", "MachineFacts", "Stage", "Loader"]
        {
            assert!(schemas.contains_key(name), "{name} in {:?}", schemas.keys());
        }
        let node = &schemas["NodeView"];
        assert_eq!(node["properties"]["mac"]["type"], "string");
        assert!(node["properties"]["diagnosis"]["description"].as_str().unwrap().contains("does not get on"));
    }
}
