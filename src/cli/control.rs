//! The subcommands that talk to the running service.

use std::{io, path::Path};

use anyhow::bail;
use hyper::Method;
use serde_json::Value;

use super::{arguments::OutputFormat, paint::Paint, view};
use crate::net::http_client as client;
use rackberry_core::appliance::{Arm, ArmBody, AssetsView, NodeView, RenderView, StatusView};

/// `rackberry status`
pub async fn status(socket: &Path, output: OutputFormat) -> anyhow::Result<()> {
    let value = get(socket, "/api/v1/status").await?;
    if output.json {
        return print_json(&value);
    }
    let status: StatusView = serde_json::from_value(value)?;
    print!("{}", view::status(&status, Paint::on(&io::stdout())));
    Ok(())
}

/// `rackberry nodes`
pub async fn nodes(socket: &Path, output: OutputFormat) -> anyhow::Result<()> {
    let value = get(socket, "/api/v1/nodes").await?;
    if output.json {
        return print_json(&value);
    }
    let nodes: Vec<NodeView> = serde_json::from_value(value)?;
    print!("{}", view::nodes(&nodes, Paint::on(&io::stdout())));
    Ok(())
}

/// Operating systems and keys, as the service sees them.
pub async fn assets(socket: &Path) -> anyhow::Result<AssetsView> {
    Ok(serde_json::from_value(get(socket, "/api/v1/assets").await?)?)
}

/// An answer as it comes.
pub async fn print(socket: &Path, path: &str) -> anyhow::Result<()> {
    print_json(&get(socket, path).await?)
}

/// `rackberry node show`
pub async fn node(socket: &Path, node: &str, output: OutputFormat) -> anyhow::Result<()> {
    let value = get(socket, &format!("/api/v1/nodes/{node}")).await?;
    if output.json {
        return print_json(&value);
    }
    let node: NodeView = serde_json::from_value(value)?;
    print!("{}", view::node(&node, Paint::on(&io::stdout())));
    Ok(())
}

/// `rackberry node show --render`
pub async fn render(socket: &Path, node: &str, output: OutputFormat) -> anyhow::Result<()> {
    let value = get(socket, &format!("/api/v1/nodes/{node}/render")).await?;
    if output.json {
        return print_json(&value);
    }
    let render: RenderView = serde_json::from_value(value)?;
    print!("{}", view::render(&render, Paint::on(&io::stdout())));
    Ok(())
}

/// `rackberry arm`
pub async fn arm(socket: &Path, arm: &Arm) -> anyhow::Result<()> {
    post(socket, "/api/v1/arm", Some(serde_json::to_value(ArmBody::from(arm))?)).await
}

/// An order without words of its own.
pub async fn order(socket: &Path, path: &str) -> anyhow::Result<()> {
    post(socket, path, None).await
}

/// An order for one node.
pub async fn node_order(socket: &Path, node: &str, order: &str) -> anyhow::Result<()> {
    post(socket, &format!("/api/v1/nodes/{node}/{order}"), None).await
}

pub(super) async fn get(socket: &Path, path: &str) -> anyhow::Result<Value> {
    let (status, body) = client::call(socket, Method::GET, path, None).await?;
    if status.is_success() { Ok(body) } else { bail!("{}", message(&body)) }
}

async fn post(socket: &Path, path: &str, body: Option<Value>) -> anyhow::Result<()> {
    let (status, body) = client::call(socket, Method::POST, path, body).await?;
    if !status.is_success() {
        bail!("{}", message(&body));
    }
    println!("{}", message(&body));
    Ok(())
}

/// The sentence in an answer.
fn message(body: &Value) -> &str {
    let text = |key| body.get(key).and_then(Value::as_str);
    text("message").or(text("error")).unwrap_or("the service gave no reason")
}

fn print_json(value: &Value) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}
