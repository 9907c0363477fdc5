//! The web pages in `ui-dist/`, embedded.

use std::collections::HashMap;
use std::sync::OnceLock;

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use include_dir::{Dir, include_dir};
use ring::digest;

use super::respond::{Answer, answer};

static PAGES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/ui-dist");

const CONTENT_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

struct Page {
    content: &'static [u8],
    content_type: &'static str,
    etag: HeaderValue,
}

/// The page at a URL path, or `None`. A matching `If-None-Match` gets 304.
pub(super) fn page(path: &str, headers: &HeaderMap) -> Option<Answer> {
    let name = if path == "/" { "index.html" } else { path.strip_prefix('/')? };
    let page = pages().get(name)?;
    // dropped: a header that is not text names no version we have
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).is_some_and(|tags| {
        tags.split(',').any(|tag| tag.trim().trim_start_matches("W/").as_bytes() == page.etag.as_bytes())
    });
    let content_type = HeaderValue::from_static(page.content_type);
    let mut answer = if known {
        answer(StatusCode::NOT_MODIFIED, content_type, Bytes::new())
    } else {
        answer(StatusCode::OK, content_type, Bytes::from_static(page.content))
    };
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, CONTENT_POLICY);
    headers.insert(ETAG, page.etag.clone());
    Some(answer)
}

fn pages() -> &'static HashMap<String, Page> {
    static INDEX: OnceLock<HashMap<String, Page>> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut index = HashMap::new();
        collect(&PAGES, &mut index);
        index
    })
}

fn collect(directory: &'static Dir<'static>, index: &mut HashMap<String, Page>) {
    for file in directory.files() {
        let Some(name) = file.path().to_str() else { continue };
        let hash = digest::digest(&digest::SHA256, file.contents());
        let etag = format!("\"{}\"", BASE64URL_NOPAD.encode(&hash.as_ref()[..12]));
        let etag = HeaderValue::from_str(&etag).expect("quoted base64url is a header value");
        index.insert(name.to_owned(), Page { content: file.contents(), content_type: content_type(name), etag });
    }
    for inner in directory.dirs() {
        collect(inner, index);
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "webmanifest" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
