//! What is made for one node, reports, orders, and who follows the state.

use std::{fs, net::Ipv4Addr, os::unix::fs::PermissionsExt, time::Duration};

use rackberry::net::{http::Token, http_client as client};
use rackberry_core::{
    appliance::{Arm, Ask, Command, NodeView, Requester, View, Whom},
    ids::{OrderKind, Source},
};
use serde_json::json;

use crate::fixture::{MAC, Service, state};

#[tokio::test]
async fn what_is_made_for_a_node_is_never_cached() {
    let service = Service::start();
    let reply = service.curl(&format!("/cloud-configs/{MAC}.yml"), &[]).await;
    assert_eq!((reply.status, reply.text()), (200, format!("#cloud-config {MAC}\n").as_str()));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("content-type"), Some("text/cloud-config"));
    let ends = service.ends().await;
    assert_eq!((ends.len(), ends[0].sent, ends[0].total), (1, 32, 32));
}

#[tokio::test]
async fn reports_come_from_the_network() {
    let mut service = Service::start();
    let path = format!("/api/v1/nodes/{MAC}/report");
    let body = r#"{"stage":"installing","ok":false,"message":"no disk"}"#;
    let reply = service.curl(&path, &["-d", body]).await;
    assert_eq!((reply.status, reply.json()), (200, json!({ "message": "taken" })));
    let report =
        serde_json::from_str(r#"{"stage":"installing","ok":false,"message":"no disk"}"#).expect("a report");
    let mac = MAC.parse().unwrap();
    assert_eq!(
        service.asked().await,
        Ask::Report {
            from: Requester { address: Ipv4Addr::LOCALHOST, hardware: None },
            grant: None,
            mac,
            report
        }
    );
    for bad in ["", "{}", r#"{"stage":"lost","ok":true}"#, "nonsense"] {
        assert_eq!(service.curl(&path, &["-d", bad]).await.status, 400, "{bad}");
    }
    assert_eq!(service.curl_socket(&path, &["-d", body]).await.status, 403);
    assert!(service.finish().await.is_empty(), "nothing else reached the owner");
}

#[tokio::test]
async fn orders_from_the_network_need_the_token() {
    let mut service = Service::start();
    let arm = "/api/v1/arm";
    let bearer = "Authorization: Bearer secret";
    let none = service.curl(arm, &["-d", "{}", "-H", bearer]).await;
    assert_eq!((none.status, none.error().contains("read-only")), (403, true));
    service.token.send_replace(Token::new("secret\n"));
    for options in [&["-d", "{}"][..], &["-d", "{}", "-H", "Authorization: Bearer Secret"]] {
        let reply = service.curl(arm, options).await;
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("bearer")));
    }
    let body = r#"{"for":"5m","live":true,"nodes":["node1"]}"#;
    assert_eq!(service.curl(arm, &["-d", body, "-H", bearer]).await.json()["message"], "taken");
    let length = Some(Duration::from_secs(300));
    let command = Command::Arm(Arm {
        kind: OrderKind::Live,
        length,
        ..Arm::install(Whom::Named(vec!["node1".into()]))
    });
    assert_eq!(service.asked().await, Ask::Command { source: Source::Web, command });
    assert_eq!(service.curl(arm, &["-d", "{\"for\":\"soon\"}", "-H", bearer]).await.status, 400);
    assert!(service.finish().await.is_empty(), "nothing else reached the owner");
}

#[tokio::test]
async fn the_control_socket_needs_no_token() {
    let mut service = Service::start();
    assert_eq!(fs::metadata(service.socket()).unwrap().permissions().mode() & 0o777, 0o660);
    assert_eq!(service.curl_socket("/api/v1/status", &[]).await.json(), json!({ "view": "Status" }));
    assert_eq!(service.asked().await, Ask::View(View::Status));
    for (path, command) in [
        ("/api/v1/disarm", Command::Disarm),
        ("/api/v1/nodes/node1/reinstall", Command::Reinstall("node1".into())),
        ("/api/v1/nodes/node1/forget", Command::Forget("node1".into())),
    ] {
        assert_eq!(service.curl_socket(path, &["-X", "POST"]).await.status, 200);
        assert_eq!(service.asked().await, Ask::Command { source: Source::Socket, command });
    }
    assert_eq!(service.curl_socket("/image", &[]).await.status, 404);
}

#[tokio::test]
async fn the_command_line_calls_and_follows() {
    let mut service = Service::start();
    let socket = service.socket();
    let (status, body) = client::call(&socket, "GET".parse().unwrap(), "/api/v1/nodes", None).await.unwrap();
    assert_eq!((status.as_u16(), body), (200, json!([])));
    let path = "/api/v1/nodes/the first/forget";
    let (_, body) = client::call(&socket, "POST".parse().unwrap(), path, Some(json!({}))).await.unwrap();
    assert_eq!(body, json!({ "message": "taken" }));
    let command = Command::Forget("the first".into());
    assert_eq!(service.asked().await, Ask::Command { source: Source::Socket, command });
    let (status, body) =
        client::call(&socket, "GET".parse().unwrap(), "/api/v1/nodes/x", None).await.unwrap();
    assert_eq!((status.as_u16(), body), (404, json!({ "error": "there is no such node" })));

    let mut events = client::events(&socket).await.unwrap();
    assert_eq!(events.next().await, Some(json!({ "status": null, "nodes": [] })));
    let node = json!({
        "mac": MAC, "macs": [MAC], "diagnosis": null, "offer_style": null, "loader": null, "name": "node1", "led": 1, "stage": "idle", "stage_seconds": 0, "seen_seconds": null,
        "arch": null, "address": null, "granted": false, "image": null, "failure": null, "installed": null,
        "next_boot": { "leads_to": "disk", "words": "boots its disk", "overwrites": null },
        "writes": 0, "log": "one\ntwo",
    });
    let view: NodeView = serde_json::from_value(node.clone()).unwrap();
    service.showing.show(state([view]));
    assert_eq!(events.next().await, Some(json!({ "status": null, "nodes": [node] })));
    let nodes = service.curl("/api/v1/nodes", &[]).await;
    assert_eq!(nodes.json(), json!([node]));
    let tag = format!("If-None-Match: {}", nodes.header("etag").unwrap());
    let same = service.curl("/api/v1/nodes", &["-H", &tag]).await;
    assert_eq!((same.status, same.body.len()), (304, 0));
    let packed = service.curl("/api/v1/nodes", &["--compressed", "-H", &tag]).await;
    assert_eq!((packed.json(), packed.header("content-encoding")), (json!([node]), Some("gzip")));
    assert_ne!(packed.header("etag"), nodes.header("etag"));
    service.showing.show(state([]));
    assert_eq!(service.curl("/api/v1/nodes", &["-H", &tag]).await.json(), json!([]));
    assert_eq!(events.next().await, Some(json!({ "status": null, "nodes": [] })));
    service.showing.show(state([serde_json::from_value(node).unwrap()]));
    let metrics = service.curl("/metrics", &[]).await;
    assert!(metrics.text().contains("rackberry_nodes{stage=\"idle\"} 1\n"), "{}", metrics.text());
    service.finish().await;
    assert_eq!(events.next().await, None, "the service has ended");
    assert!(matches!(client::events(&socket).await, Err(client::CallError::NotRunning(_))));
}

#[tokio::test]
async fn the_page_needs_nothing_else() {
    let service = Service::start();
    let page = service.curl("/", &[]).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(
        page.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'"))
    );
    assert!(!page.text().contains("//"), "it names no other place");
}
