//! A web server that fails in the ways that servers do.

use super::{Net, Watched};

/// On port 9000 of the appliance's address. Nobody is on port 9001.
const SERVER: &str = r#"
import http.server, time
image = bytes(range(256)) * 20480
answers = {
    "empty": (200, 0, b""),
    "html": (200, 996, b"<html>" * 166),
    "stall": (200, 9000000, b""),
    "cut": (200, 9000000, image[:3000000]),
    "whole": (200, len(image), image),
}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path[1:]
        if name == "hangup":
            return
        status, length, body = answers.get(name) or (int(name) if name.isdigit() else 404, 0, b"")
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)
        if name == "stall":
            time.sleep(60)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("10.10.10.1", 9000), Handler).serve_forever()
"#;

/// Starts the web server, which fails as the path that is asked for says.
pub fn server(net: &Net) -> Watched {
    let server = net.write("failing.py", SERVER);
    let mut command = net.command("python3");
    command.arg(server);
    Watched::start(command)
}
