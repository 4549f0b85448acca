//! Serves a folder: `cargo run --example serve -- FOLDER [ADDRESS:PORT]`.

use tokio_tftp_server::{Directory, Options, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: serve FOLDER [ADDRESS:PORT]")?;
    let address = arguments.next().unwrap_or("127.0.0.1:6969".into()).parse()?;
    let server = Server::bind(Options::new(address))?;
    println!("serving {folder} at {}", server.local_addr());
    server.run(Directory::open(folder)?, async { drop(tokio::signal::ctrl_c().await) }).await?;
    Ok(())
}
