//! The page: the API's answers as tables. A script only fetches it again when something changed, so that
//! without scripts it is the same, once.

use std::fmt::Write;

use serde_json::Value;

const HEAD: &str = "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">
<title>rackberry</title>
<style>
body{font:15px/1.4 system-ui,sans-serif;margin:1.5em;max-width:80em}
table{border-collapse:collapse;margin:0 0 1.5em}
th,td{text-align:left;vertical-align:top;padding:.2em .8em .2em 0;border-bottom:1px solid #ccc}
td{white-space:pre-wrap;overflow-wrap:anywhere}
@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}
</style></head><body><h1>rackberry</h1>
";

const TAIL: &str =
    "<p>The same as JSON: <a href=\"/api/v1/status\">status</a>, <a href=\"/api/v1/nodes\">nodes</a>.</p>
<script>
let busy=false,again=false;
async function draw(){
  if(busy){again=true;return}
  busy=true;
  try{
    const text=await(await fetch('/')).text();
    const main=new DOMParser().parseFromString(text,'text/html').querySelector('main');
    if(main)document.querySelector('main').replaceWith(main);
  }catch(e){}
  setTimeout(()=>{busy=false;if(again){again=false;draw()}},1000);
}
new EventSource('/api/v1/events').onmessage=draw;
</script>
</body></html>
";

/// The page that shows these two answers.
pub(super) fn render(status: &Value, nodes: &Value) -> String {
    let mut page = HEAD.to_owned();
    page.push_str("<main>\n<h2>Status</h2>\n");
    table(&mut page, status);
    page.push_str("<h2>Nodes</h2>\n");
    table(&mut page, nodes);
    page.push_str("</main>\n");
    page.push_str(TAIL);
    page
}

/// A list of objects becomes a row each; an object, a row for each of its members.
fn table(page: &mut String, value: &Value) {
    // Writing to a string can't fail.
    let _ = match value {
        Value::Array(rows) if rows.is_empty() => writeln!(page, "<p>None yet.</p>"),
        Value::Array(rows) => {
            let mut columns: Vec<&str> = Vec::new();
            for key in rows.iter().filter_map(Value::as_object).flat_map(|row| row.keys()) {
                if !columns.contains(&key.as_str()) {
                    columns.push(key);
                }
            }
            page.push_str("<table><tr>");
            for column in &columns {
                let _ = write!(page, "<th>{}</th>", escaped(&column.replace('_', " ")));
            }
            page.push_str("</tr>\n");
            for row in rows {
                page.push_str("<tr>");
                for column in &columns {
                    let _ = write!(page, "<td>{}</td>", escaped(&in_words(row.get(column))));
                }
                page.push_str("</tr>\n");
            }
            writeln!(page, "</table>")
        }
        Value::Object(members) => {
            page.push_str("<table>\n");
            for (key, member) in members {
                let (key, member) = (escaped(&key.replace('_', " ")), escaped(&in_words(Some(member))));
                let _ = writeln!(page, "<tr><th>{key}</th><td>{member}</td></tr>");
            }
            writeln!(page, "</table>")
        }
        other => writeln!(page, "<p>{}</p>", escaped(&in_words(Some(other)))),
    };
}

fn in_words(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Array(list)) => {
            list.iter().map(|item| in_words(Some(item))).collect::<Vec<_>>().join("\n")
        }
        Some(Value::Object(members)) => {
            let words = members.iter().map(|(key, member)| format!("{key} {}", in_words(Some(member))));
            words.collect::<Vec<_>>().join(", ")
        }
    }
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_value_is_shown_and_none_is_markup() {
        let status = json!({"armed_seconds": 90, "warnings": ["one", "two"], "url": null});
        let nodes = json!([
            {"name": "node1", "stage": "installing", "image": {"sent": 1, "total": 2}},
            {"name": "<script>alert('x')</script>", "failure": "a & b"},
        ]);
        let page = render(&status, &nodes);
        for part in [
            "<tr><th>armed seconds</th><td>90</td></tr>",
            "<td>one\ntwo</td>",
            "<td>sent 1, total 2</td>",
            "<td>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;</td>",
            "<td>a &amp; b</td>",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
        assert_eq!(page.matches("<script>").count(), 1);
        assert!(render(&status, &json!([])).contains("None yet."));
    }
}
