//! Which bytes of a file a request gets: conditions (RFC 9110 section 13) and ranges (section 14). Points of
//! time are counted from 1970.

use std::time::{Duration, UNIX_EPOCH};

/// What validators are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Length of the file in bytes.
    pub len: u64,
    /// When the content last changed; none for before 1970.
    pub modified: Option<Duration>,
    /// Tells a file from the one that replaced it under the same name.
    pub inode: u64,
}

/// The header fields of a request that choose what is sent, as they came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Conditions<'a> {
    /// The method is HEAD: a range means nothing then (section 14.2).
    pub head: bool,
    /// Range
    pub range: Option<&'a str>,
    /// If-Range
    pub if_range: Option<&'a str>,
    /// If-Match
    pub if_match: Option<&'a str>,
    /// If-None-Match
    pub if_none_match: Option<&'a str>,
    /// If-Modified-Since
    pub if_modified_since: Option<&'a str>,
    /// If-Unmodified-Since
    pub if_unmodified_since: Option<&'a str>,
}

/// What to answer: status, and which bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangePlan {
    /// 200, 206, 304, 412 or 416.
    pub status: u16,
    /// First byte of the file to send.
    pub start: u64,
    /// How many to send (for HEAD: how many GET would); 0 unless the status is 200 or 206.
    pub len: u64,
    /// Header fields, beside Content-Length and Content-Type.
    pub headers: Vec<(&'static str, String)>,
}

/// Evaluates the conditions in the order of RFC 9110 section 13.2.2. `now` is what the response's Date says.
///
/// A request for several ranges gets the whole file (section 14.2 allows it; no installer asks for several), and
/// so does one whose Range makes no sense.
pub fn respond(conditions: &Conditions<'_>, meta: &Meta, now: Duration) -> RangePlan {
    let tag = etag(meta);
    let modified = modified_seconds(meta);
    let mut headers = vec![("accept-ranges", "bytes".to_owned()), ("etag", tag.clone())];
    // Section 8.8.2.1: never later than Date. A machine without a clock has files from its future.
    if let Some(date) = modified.filter(|date| *date <= now) {
        headers.push(("last-modified", httpdate::fmt_http_date(UNIX_EPOCH + date)));
    }
    let short = |status| RangePlan { status, start: 0, len: 0, headers: headers.clone() };
    if let Some(tags) = conditions.if_match {
        if !any_tag(tags, |candidate| candidate == tag) {
            return short(412);
        }
    } else if let (Some(since), Some(modified)) = (date(conditions.if_unmodified_since), modified)
        && modified > since
    {
        return short(412);
    }
    if let Some(tags) = conditions.if_none_match {
        if has_tag(tags, &tag) {
            return short(304);
        }
    } else if let (Some(since), Some(modified)) = (date(conditions.if_modified_since), modified)
        && modified <= since
    {
        return short(304);
    }
    let range = conditions.range.filter(|_| {
        !conditions.head
            && conditions.if_range.is_none_or(|validator| unchanged(validator, &tag, modified, now))
    });
    match range.map_or(Selected::Whole, |range| select(range, meta.len)) {
        Selected::Whole => RangePlan { status: 200, start: 0, len: meta.len, headers },
        Selected::Part { start, len } => {
            headers.push(("content-range", format!("bytes {start}-{}/{}", start + len - 1, meta.len)));
            RangePlan { status: 206, start, len, headers }
        }
        Selected::Nothing => {
            headers.push(("content-range", format!("bytes */{}", meta.len)));
            RangePlan { status: 416, start: 0, len: 0, headers }
        }
    }
}

/// A strong entity tag (RFC 9110 section 8.8.3): length, time of change to the nanosecond, inode.
pub fn etag(meta: &Meta) -> String {
    let modified = meta.modified.map_or_else(|| "old".into(), |at| format!("{:x}", at.as_nanos()));
    format!("\"{:x}-{modified}-{:x}\"", meta.len, meta.inode)
}

/// The time of change as HTTP can say it: whole seconds, from 1970 on.
fn modified_seconds(meta: &Meta) -> Option<Duration> {
    // The year 9999 is the last one that a date has room for.
    const LAST: u64 = 253_402_300_799;
    let seconds = meta.modified?.as_secs();
    (seconds <= LAST).then(|| Duration::from_secs(seconds))
}

fn date(text: Option<&str>) -> Option<Duration> {
    httpdate::parse_http_date(text?).ok()?.duration_since(UNIX_EPOCH).ok()
}

/// Whether a list of tags (If-None-Match) has this one; weak ones count, too (section 13.1.2).
pub fn has_tag(list: &str, tag: &str) -> bool {
    any_tag(list, |candidate| candidate.strip_prefix("W/").unwrap_or(candidate) == tag)
}

/// Our tags have no comma inside, so splitting at commas finds them.
fn any_tag(list: &str, is: impl Fn(&str) -> bool) -> bool {
    list.trim() == "*" || list.split(',').any(|candidate| is(candidate.trim()))
}

/// Section 13.1.5: the tag strongly, or the date exactly, and then only a date that is a strong validator: the
/// file can't have changed again within that second (section 8.8.2.2).
fn unchanged(validator: &str, tag: &str, modified: Option<Duration>, now: Duration) -> bool {
    let settled =
        |modified: &Duration| now.checked_sub(*modified).is_some_and(|age| age >= Duration::from_secs(1));
    match date(Some(validator)) {
        Some(date) => modified.filter(settled) == Some(date),
        None => validator.trim() == tag,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Selected {
    Whole,
    Part { start: u64, len: u64 },
    Nothing,
}

/// Section 14.1.2, byte ranges.
fn select(range: &str, total: u64) -> Selected {
    let Some((unit, set)) = range.split_once('=') else { return Selected::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Selected::Whole;
    }
    let mut specs = set.split(',').map(str::trim).filter(|spec| !spec.is_empty());
    let (Some(spec), None) = (specs.next(), specs.next()) else { return Selected::Whole };
    let Some((first, last)) = spec.split_once('-') else { return Selected::Whole };
    match (position(first), position(last)) {
        // The last N bytes. Of an empty file that is all of it, which no 206 can say.
        (Position::Absent, Position::At(0)) => Selected::Nothing,
        (Position::Absent, Position::At(_)) if total == 0 => Selected::Whole,
        (Position::Absent, Position::At(n)) => {
            let len = n.min(total);
            Selected::Part { start: total - len, len }
        }
        (Position::At(first), Position::At(last)) if last < first => Selected::Whole,
        (Position::At(first), Position::At(_) | Position::Absent) if first >= total => Selected::Nothing,
        (Position::At(start), Position::At(last)) => {
            Selected::Part { start, len: last.min(total - 1) - start + 1 }
        }
        (Position::At(start), Position::Absent) => Selected::Part { start, len: total - start },
        _ => Selected::Whole,
    }
}

enum Position {
    Absent,
    At(u64),
    Nonsense,
}

fn position(text: &str) -> Position {
    if text.is_empty() {
        Position::Absent
    } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Beyond what 64 bits hold is beyond any file's end.
        Position::At(text.parse().unwrap_or(u64::MAX))
    } else {
        Position::Nonsense
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn meta() -> Meta {
        Meta { len: 1000, modified: Some(Duration::new(1_463_000_000, 5)), inode: 7 }
    }

    fn now() -> Duration {
        Duration::from_secs(1_463_000_100)
    }

    fn plan(conditions: Conditions<'_>) -> RangePlan {
        respond(&conditions, &meta(), now())
    }

    fn header<'a>(plan: &'a RangePlan, name: &str) -> Option<&'a str> {
        plan.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn ranges_select_what_the_rfc_says() {
        for (range, status, start, len, content_range) in [
            ("bytes=0-499", 206, 0, 500, Some("bytes 0-499/1000")),
            ("bytes=500-", 206, 500, 500, Some("bytes 500-999/1000")),
            ("bytes=-500", 206, 500, 500, Some("bytes 500-999/1000")),
            ("bytes=0-0", 206, 0, 1, Some("bytes 0-0/1000")),
            ("bytes=-1", 206, 999, 1, Some("bytes 999-999/1000")),
            ("bytes=-2000", 206, 0, 1000, Some("bytes 0-999/1000")),
            ("bytes=999-99999999999999999999", 206, 999, 1, Some("bytes 999-999/1000")),
            ("BYTES= 0-1 ,", 206, 0, 2, Some("bytes 0-1/1000")),
            ("bytes=1000-", 416, 0, 0, Some("bytes */1000")),
            ("bytes=99999999999999999999-", 416, 0, 0, Some("bytes */1000")),
            ("bytes=-0", 416, 0, 0, Some("bytes */1000")),
            ("bytes=0-1,5-6", 200, 0, 1000, None),
            ("bytes=5-4", 200, 0, 1000, None),
            ("bytes=-", 200, 0, 1000, None),
            ("bytes=a-b", 200, 0, 1000, None),
            ("bytes=+1-5", 200, 0, 1000, None),
            ("bytes", 200, 0, 1000, None),
            ("lines=1-2", 200, 0, 1000, None),
        ] {
            let plan = plan(Conditions { range: Some(range), ..Conditions::default() });
            assert_eq!((plan.status, plan.start, plan.len), (status, start, len), "{range}");
            assert_eq!(header(&plan, "content-range"), content_range, "{range}");
        }
    }

    #[test]
    fn head_ignores_ranges_but_not_conditions() {
        let tag = etag(&meta());
        let head = Conditions { head: true, range: Some("bytes=0-1"), ..Conditions::default() };
        assert_eq!((plan(head).status, plan(head).len), (200, 1000));
        assert_eq!(plan(Conditions { if_none_match: Some(&tag), ..head }).status, 304);
    }

    #[test]
    fn an_empty_file_has_no_satisfiable_range_but_a_suffix() {
        let empty = Meta { len: 0, ..meta() };
        for (range, status) in [("bytes=0-", 416), ("bytes=0-0", 416), ("bytes=-0", 416), ("bytes=-5", 200)] {
            let conditions = Conditions { range: Some(range), ..Conditions::default() };
            assert_eq!(respond(&conditions, &empty, now()).status, status, "{range}");
        }
    }

    #[test]
    fn if_range_takes_strong_validators_only() {
        let tag = etag(&meta());
        let weak = format!("W/{tag}");
        for (if_range, status) in [
            (tag.as_str(), 206),
            (weak.as_str(), 200),
            ("\"other\"", 200),
            ("Wed, 11 May 2016 20:53:20 GMT", 206),
            ("Wed, 11 May 2016 20:53:21 GMT", 200),
            ("nonsense", 200),
        ] {
            let conditions =
                Conditions { range: Some("bytes=1-"), if_range: Some(if_range), ..Conditions::default() };
            assert_eq!(plan(conditions).status, status, "{if_range}");
        }
        let conditions = Conditions {
            range: Some("bytes=1-"),
            if_range: Some("Wed, 11 May 2016 20:53:20 GMT"),
            ..Conditions::default()
        };
        let at = Duration::from_secs(1_463_000_000);
        assert_eq!(respond(&conditions, &meta(), at).status, 200, "it may change again within this second");
    }

    #[test]
    fn conditions_come_in_the_rfcs_order() {
        let tag = etag(&meta());
        let weak = format!("\"x\", W/{tag}");
        let (same, before) = ("Wed, 11 May 2016 20:53:20 GMT", "Wed, 11 May 2016 20:53:19 GMT");
        let none = Conditions::default();
        for (conditions, status) in [
            (Conditions { if_none_match: Some("*"), ..none }, 304),
            (Conditions { if_none_match: Some(&weak), ..none }, 304),
            (Conditions { if_none_match: Some("\"x\""), if_modified_since: Some(same), ..none }, 200),
            (Conditions { if_modified_since: Some(same), ..none }, 304),
            (Conditions { if_modified_since: Some(before), ..none }, 200),
            (Conditions { if_modified_since: Some("yesterday"), ..none }, 200),
            (Conditions { if_match: Some(&tag), if_unmodified_since: Some(before), ..none }, 200),
            (Conditions { if_match: Some(&weak), ..none }, 412),
            (Conditions { if_match: Some("*"), ..none }, 200),
            (Conditions { if_unmodified_since: Some(before), ..none }, 412),
            (Conditions { if_unmodified_since: Some(same), ..none }, 200),
            (Conditions { if_none_match: Some(&tag), range: Some("bytes=5000-"), ..none }, 304),
        ] {
            assert_eq!(plan(conditions).status, status, "{conditions:?}");
        }
    }

    #[test]
    fn dates_that_http_can_not_say_are_left_out() {
        let far = Duration::from_secs(400_000_000_000);
        let future = now() + Duration::from_secs(9);
        for (modified, now) in [(Some(far), far), (None, now()), (Some(future), now())] {
            let plan = respond(&Conditions::default(), &Meta { modified, ..meta() }, now);
            assert_eq!((plan.status, header(&plan, "last-modified")), (200, None));
            assert!(header(&plan, "etag").is_some());
        }
        assert_eq!(
            header(&plan(Conditions::default()), "last-modified"),
            Some("Wed, 11 May 2016 20:53:20 GMT")
        );
    }

    #[test]
    fn tags_differ_by_length_time_and_inode() {
        let tag = etag(&meta());
        let later = Some(Duration::new(1_463_000_000, 6));
        for other in [
            Meta { len: 1001, ..meta() },
            Meta { inode: 8, ..meta() },
            Meta { modified: later, ..meta() },
            Meta { modified: None, ..meta() },
        ] {
            assert_ne!(etag(&other), tag);
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_lies_in_the_file(range in "(bytes=)?[0-9,-]{0,12}|.{0,12}", len in 0u64..2000) {
            let conditions = Conditions { range: Some(&range), ..Conditions::default() };
            let plan = respond(&conditions, &Meta { len, ..meta() }, now());
            match plan.status {
                200 => prop_assert_eq!((plan.start, plan.len), (0, len)),
                206 => prop_assert!(plan.len > 0 && plan.start + plan.len <= len),
                status => prop_assert_eq!((status, plan.len), (416, 0)),
            }
        }
    }
}
