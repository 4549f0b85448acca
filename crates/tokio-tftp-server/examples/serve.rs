//! Serves a folder: `cargo run --example serve -- FOLDER [ADDRESS:PORT]`.

use std::path::PathBuf;

use tokio_tftp_server::{Content, ErrorCode, Event, Handler, Options, Refusal, Request, Server};

struct Folder(PathBuf);

impl Handler for Folder {
    type Transfer = String;

    async fn open(&self, request: &Request) -> Result<(Content, String), Refusal> {
        let refuse = |code| Refusal { code, message: request.file.clone() };
        // Resolved, so that neither `..` nor a link leads out of the folder.
        let path = self.0.join(request.file.trim_start_matches('/'));
        let path = path.canonicalize().map_err(|_| refuse(ErrorCode::FileNotFound))?;
        if !path.starts_with(&self.0) {
            return Err(refuse(ErrorCode::AccessViolation));
        }
        Ok((Content::File(path), format!("{} to {}", request.file, request.peer)))
    }

    async fn event(&self, transfer: &mut String, event: Event) {
        println!("{transfer}: {event:?}");
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder =
        PathBuf::from(arguments.next().ok_or("usage: serve FOLDER [ADDRESS:PORT]")?).canonicalize()?;
    let address = arguments.next().unwrap_or("127.0.0.1:6969".into()).parse()?;
    let server = Server::bind(Options::new(address))?;
    println!("serving {} at {}", folder.display(), server.local_addr());
    server.run(Folder(folder), async { drop(tokio::signal::ctrl_c().await) }).await?;
    Ok(())
}
